/// What an event carries back from its registration, to tell the sources apart.
///
/// All its bits are the user's own: the kernel stores them and gives them back.
///
/// ```
/// use epore::Token;
///
/// const LISTENER: Token = Token(0);
/// # let token = Token(0);
/// match token {
///     LISTENER => { /* accept */ }
///     Token(connection) => { let _ = connection; }
/// }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub usize);

impl From<Token> for usize {
    fn from(token: Token) -> usize {
        token.0
    }
}
