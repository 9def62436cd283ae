//! The answers that the server knows.

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Ok,
    BadRequest,
    NotFound,
    MethodNotAllowed,
    RequestTimeout,
    UriTooLong,
    HeadTooLarge,
    ServiceUnavailable,
    VersionNotSupported,
}

impl Status {
    /// Code and reason, as in the status line.
    pub const fn line(self) -> &'static str {
        match self {
            Self::Ok => "200 OK",
            Self::BadRequest => "400 Bad Request",
            Self::NotFound => "404 Not Found",
            Self::MethodNotAllowed => "405 Method Not Allowed",
            Self::RequestTimeout => "408 Request Timeout",
            Self::UriTooLong => "414 URI Too Long",
            Self::HeadTooLarge => "431 Request Header Fields Too Large",
            Self::ServiceUnavailable => "503 Service Unavailable",
            Self::VersionNotSupported => "505 HTTP Version Not Supported",
        }
    }

    /// The body of an error, for the person who asked.
    pub const fn advice(self) -> &'static str {
        match self {
            Self::Ok => "",
            Self::BadRequest => "this is not an HTTP request\n",
            Self::NotFound => "ask for /<milliseconds>/<message>\n",
            Self::MethodNotAllowed => "ask with GET or HEAD\n",
            Self::RequestTimeout => "the request did not arrive in time\n",
            Self::UriTooLong => "the request line is longer than 8 KiB\n",
            Self::HeadTooLarge => "the request head is longer than 8 KiB\n",
            Self::ServiceUnavailable => "no timer is left for the delay\n",
            Self::VersionNotSupported => "ask with HTTP/1.1 or HTTP/1.0\n",
        }
    }
}
