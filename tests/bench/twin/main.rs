//! The delay server with mio: the same requests, the same answers, byte for byte, and the
//! same log. It reads requests with the demo's own parser, so that what differs is how
//! the bytes come in and go out.

mod answer;
mod server;

#[path = "../../../src/demo/request.rs"]
mod request;
#[allow(dead_code)]
#[path = "../../../src/demo/scan.rs"]
mod scan;
#[allow(dead_code)]
#[path = "../../../src/demo/status.rs"]
mod status;

fn main() -> std::io::Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [verb, address] if verb == "serve" => {
            let address = address.parse().expect("an address with a port");
            server::Server::start(address)?.run()
        }
        _ => {
            eprintln!("usage: twin serve ADDR:PORT");
            std::process::exit(2);
        }
    }
}
