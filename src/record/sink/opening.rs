//! How an audit file is opened, and where the chain in it ended.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use crate::proof::{Chain, Head, Note, Sealed, What, Why, heads_of, lines, segments};

/// Who may read: the owner and the group.
const MODE: u32 = 0o640;
/// How much of a file's end is read at first.
const TAIL: u64 = 64 << 10;

/// Opens for appending; makes the file when it is missing, for us and for the group alone.
pub(super) fn open(path: &Path, group: Option<u32>) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.append(true).read(true);
    let mut make = options.clone();
    make.create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut make, MODE);
    match make.open(path) {
        Ok(file) => {
            own(&file, group)?;
            Ok(file)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let file = options.open(path)?;
            if file.metadata()?.is_file() && group.is_some() {
                own(&file, group)?;
            }
            Ok(file)
        }
        Err(error) => Err(error),
    }
}

/// Puts `content` in the place of what stands at `path`, in one step: a process that is killed leaves the
/// old one or the new one.
pub(in crate::record) fn replace(
    path: &Path,
    content: &[u8],
    group: Option<u32>,
) -> io::Result<()> {
    let mut part = path.to_owned().into_os_string();
    part.push(".part");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, MODE);
    let mut file = options.open(&part)?;
    own(&file, group)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&part, path)
}

/// Gives a file of ours its mode, whatever the umask, and its group.
pub(super) fn own(file: &File, group: Option<u32>) -> io::Result<()> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::{PermissionsExt as _, fchown};
        if group.is_some() {
            fchown(file, None, group)?;
            file.set_permissions(fs::Permissions::from_mode(MODE))?;
        }
    }
    Ok(())
}

/// The number of a group. The system's own file is asked, not its name services: a container has no
/// others.
pub(super) fn group_number(group: &str) -> io::Result<u32> {
    if let Ok(number) = group.parse() {
        return Ok(number);
    }
    let groups = fs::read_to_string("/etc/group").unwrap_or_default();
    group_in(&groups, group).ok_or_else(|| {
        let message =
            format!("`audit.group` names the group `{group}`, which is not in /etc/group");
        io::Error::new(io::ErrorKind::NotFound, message)
    })
}

fn group_in(groups: &str, name: &str) -> Option<u32> {
    groups.lines().find_map(|line| {
        let mut parts = line.split(':');
        let found = parts.next()? == name;
        let number = parts.nth(1)?.parse().ok()?;
        found.then_some(number)
    })
}

/// Takes the file for this process alone: two would tear the chain.
pub(super) fn lock(file: &File) -> io::Result<()> {
    match file.try_lock() {
        Err(fs::TryLockError::WouldBlock) => Err(io::Error::new(
            io::ErrorKind::WouldBlock,
            "another process writes to it",
        )),
        // Some file systems know no locks.
        Ok(()) | Err(fs::TryLockError::Error(_)) => Ok(()),
    }
}

/// Where the chain goes on in a file that is there, and what was done and found.
#[derive(Debug, Default)]
pub(super) struct Resumed {
    pub(super) chain: Chain,
    pub(super) notes: Vec<What>,
}

/// The end of the chain in `file`, which is `path`. The beginning of a last line is cut off.
pub(super) fn resume(file: &mut File, path: &Path) -> io::Result<Resumed> {
    let mut found = Resumed::default();
    let size = file.metadata()?.len();
    let last = last_line(file, size)?;
    let torn = size - last.end;
    cut(file, size, last.end)?;
    let head = match &last.line {
        Some(line) => {
            let head = Sealed::read(line).map(|sealed| sealed.head());
            if head.is_none() {
                let why = "the last line of the file bears no seal".into();
                found.notes.push(What::Anew { why });
            }
            head
        }
        None => before(path, &mut found),
    };
    if torn > 0 {
        found.notes.push(What::Torn {
            bytes: torn,
            seq: head.map(|head| head.seq),
            hash: head.map(|head| head.hash),
        });
    }
    found.chain = head.map(Chain::after).unwrap_or_default();
    Ok(found)
}

/// Cuts off the beginning of a last line; returns what is left.
pub(super) fn cut_torn(file: &mut File) -> io::Result<u64> {
    let size = file.metadata()?.len();
    let LastLine { end, .. } = last_line(file, size)?;
    cut(file, size, end)?;
    Ok(end)
}

fn cut(file: &File, size: u64, end: u64) -> io::Result<()> {
    if end < size {
        file.set_len(end)?;
        file.sync_all()?;
    }
    Ok(())
}

/// The end of the chain before a file without a line: in the newest segment, else as it was noted.
fn before(path: &Path, found: &mut Resumed) -> Option<Head> {
    let newest = segments(path).ok().and_then(|mut all| all.pop());
    let of_segment = newest
        .as_ref()
        .and_then(|it| last_head(&it.path).ok().flatten());
    if of_segment.is_some() {
        return of_segment;
    }
    let (head, why) = last_noted(path)?;
    match why {
        // Nothing was written behind these.
        Why::Rotation | Why::Reopen | Why::Exit => Some(head),
        Why::Start | Why::Checkpoint => {
            let why = "the file that held the chain is gone".into();
            found.notes.push(What::Anew { why });
            None
        }
    }
}

/// The seal of a whole file's last line, compressed or not.
pub(super) fn last_head(path: &Path) -> io::Result<Option<Head>> {
    let mut from = lines(path)?;
    let (mut line, mut last) = (Vec::new(), Vec::new());
    loop {
        line.clear();
        from.read_until(b'\n', &mut line)?;
        if !line.ends_with(b"\n") {
            break;
        }
        std::mem::swap(&mut line, &mut last);
    }
    let last = last.strip_suffix(b"\n").unwrap_or_default();
    Ok(Sealed::read(last).map(|sealed| sealed.head()))
}

/// The newest head that was noted beside a file.
fn last_noted(path: &Path) -> Option<(Head, Why)> {
    let text = fs::read_to_string(heads_of(path)).ok()?;
    text.lines().rev().find_map(|line| {
        let note: Note = serde_json::from_str(line).ok()?;
        match note.what {
            What::Head { seq, hash, why, .. } => Some((Head { seq, hash }, why)),
            What::Gap { .. } | What::Torn { .. } | What::Anew { .. } | What::Removed { .. } => None,
        }
    })
}

struct LastLine {
    /// Where it ends, with its line feed.
    end: u64,
    /// Without it; absent when there is no whole line.
    line: Option<Vec<u8>>,
}

fn last_line(file: &mut File, size: u64) -> io::Result<LastLine> {
    let mut length = TAIL;
    loop {
        let from = size.saturating_sub(length);
        file.seek(SeekFrom::Start(from))?;
        let mut tail = Vec::new();
        (&mut *file).take(size - from).read_to_end(&mut tail)?;
        let end = memchr::memrchr(b'\n', &tail);
        let start = end.and_then(|end| memchr::memrchr(b'\n', &tail[..end]));
        match (start, end) {
            (Some(start), Some(end)) => {
                return Ok(LastLine {
                    end: from + end as u64 + 1,
                    line: Some(tail[start + 1..end].to_vec()),
                });
            }
            (None, Some(end)) if from == 0 => {
                return Ok(LastLine {
                    end: end as u64 + 1,
                    line: Some(tail[..end].to_vec()),
                });
            }
            (None, None) if from == 0 => return Ok(LastLine { end: 0, line: None }),
            (_, _) => length = length.saturating_mul(4),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_found_by_name() {
        let groups = "root:x:0:\naudit:x:117:me,you\nauditors:x:118:\n";
        for (name, number) in [("audit", Some(117)), ("auditors", Some(118)), ("aud", None)] {
            assert_eq!(group_in(groups, name), number, "{name}");
        }
        assert_eq!(group_number("4711").unwrap(), 4711);
    }
}
