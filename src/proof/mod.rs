//! The proof of the audit record: how its lines are chained, what is noted of the chains, and how
//! anyone checks both.
//!
//! Each line carries, as its last members, `seq` (counted per instance), `prev` (the `hash` of the line
//! before it, null in the very first) and `hash`: SHA-256, in lower-case hexadecimal, of the line
//! without its line feed and without its member `hash`. These are its bytes as they stand in the file,
//! up to `,"hash"`, and the closing brace. Whoever has Python can check a file:
//!
//! ```python
//! import hashlib, json, sys
//! prev = None
//! for number, line in enumerate(open(sys.argv[1], "rb"), 1):
//!     bare, record = line[:line.rindex(b',"hash":')] + b"}", json.loads(line)
//!     assert record["hash"] == hashlib.sha256(bare).hexdigest(), f"line {number} was changed"
//!     assert number == 1 or record["prev"] == prev, f"a line before line {number} is missing"
//!     prev = record["hash"]
//! ```
//!
//! The chain goes on over rotations and restarts. It shows a change within; that its end was cut, or all
//! of it is gone, shows against its heads, which are noted beside the file (`FILE.heads`, [`Note`]) and
//! told to the centre ([`Heads`]). Never here: what a record says.

mod chain;
mod heads;
mod note;
mod segment;
pub mod verify;

pub use self::chain::{Chain, Digest, Head, Sealed};
pub use self::heads::{Heads, Told};
pub use self::note::{Note, What, Why};
pub use self::segment::{COMPRESSED, Segment, heads_of, lines, plain, segments, sent_of};
