//! What the server and the client tell.

use super::answer::Answer;
use super::status::Status;
use super::text::Text;
use crate::rt::Out;

/// Of a target, in a line: enough to know it again.
const MOST_SHOWN: usize = 120;

/// Standard output, where what one batch of events gives to tell is written at
/// once.
pub struct Log {
    pub out: Out,
    /// Server and client tell together, and each line begins with who does.
    pub together: bool,
}

impl Log {
    pub fn server(&mut self) -> &mut Out {
        if self.together {
            self.out.put(b"server  ");
        }
        &mut self.out
    }

    pub fn client(&mut self) -> &mut Out {
        if self.together {
            self.out.put(b"client  ");
        }
        &mut self.out
    }

    /// A request, as it comes in, and what is wrong with it.
    pub fn request(&mut self, answer: &Answer<'_>) {
        let out = self.server();
        if let Some(request) = answer.request {
            out.harmless(request.method);
            out.put(b" ");
            let shown = request.target.get(..MOST_SHOWN);
            out.harmless(shown.unwrap_or(request.target));
            if shown.is_some() {
                out.put(b"...");
            }
        }
        if answer.status != Status::Ok {
            if answer.request.is_some() {
                out.put(b"  ");
            }
            out.put(answer.status.line().as_bytes());
        }
        out.put(b"\n");
    }
}
