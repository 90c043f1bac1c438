//! Real namespaces, where this process may make them.

use std::sync::mpsc;

use super::*;

/// A thread that lives in a namespace of its own until it is dropped.
struct Elsewhere {
    netns: Netns,
    stop: Option<mpsc::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Elsewhere {
    fn new() -> Self {
        let (tell, told) = mpsc::channel();
        let (stop, stopped) = mpsc::channel::<()>();
        let thread = thread::spawn(move || {
            // SAFETY: of a thread that shares nothing with others but memory, only the network
            // namespace changes.
            let result =
                unsafe { rustix::thread::unshare_unsafe(rustix::thread::UnshareFlags::NEWNET) };
            let tid = rustix::thread::gettid().as_raw_nonzero();
            tell.send(result.map(|()| (tid, current().unwrap())))
                .unwrap();
            let _ = stopped.recv();
        });
        let (tid, id) = told.recv().unwrap().expect("a namespace of its own");
        Self {
            netns: Netns {
                id,
                path: format!("/proc/self/task/{tid}/ns/net").into(),
            },
            stop: Some(stop),
            thread: Some(thread),
        }
    }
}

impl Drop for Elsewhere {
    fn drop(&mut self) {
        drop(self.stop.take());
        self.thread.take().map(thread::JoinHandle::join);
    }
}

#[test]
fn the_current_namespace_comes_first_and_each_but_once() {
    let all = all();
    assert_eq!(all[0].id, current().unwrap());
    let ids: HashSet<_> = all.iter().map(|netns| netns.id).collect();
    assert_eq!(ids.len(), all.len());
}

#[test]
fn mounted_namespaces() {
    let text = b"5 2 0:4 net:[4026532301] /run/netns/a rw shared:5 - nsfs nsfs rw\n\
        5 2 0:4 mnt:[4026532302] /run/mnt/a rw - nsfs nsfs rw\n\
        5 2 0:4 net:[x] /run/netns/b rw - nsfs nsfs rw\n\
        5 2 0:4 net:[7] /run/netns/c rw - ext4 nsfs rw\n";
    let found: Vec<_> = mountinfo::parse(text)
        .into_iter()
        .filter_map(mounted)
        .collect();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].id, NetnsId::new(4_026_532_301));
    assert_eq!(found[0].path, Path::new("/run/netns/a"));
}

#[test]
fn the_callers_namespace_needs_no_thread() {
    let here = all().swap_remove(0);
    let caller = thread::current().id();
    let answers = enter(&[here], |_| thread::current().id());
    assert_eq!(answers.len(), 1);
    assert_eq!(*answers[0].as_ref().unwrap(), caller);
    assert!(enter(&[], |_| ()).is_empty());
}

#[test]
#[ignore = "needs root: cargo xtask test runs it"]
fn each_is_asked_in_its_own_place_and_the_caller_stays() {
    let (one, other) = (Elsewhere::new(), Elsewhere::new());
    let here = all().swap_remove(0);
    let gone = Netns {
        id: NetnsId::new(1),
        path: here.path.clone(),
    };
    let places = [one.netns.clone(), here.clone(), gone, other.netns.clone()];
    let answers = enter(&places, |netns| (netns.id, current().unwrap(), cookie()));
    let ids: Vec<_> = answers
        .iter()
        .map(|answer| answer.as_ref().ok().map(|(said, is, _)| (*said, *is)))
        .collect();
    let both = |id| Some((id, id));
    assert_eq!(
        ids,
        [
            both(one.netns.id),
            both(here.id),
            None,
            both(other.netns.id)
        ]
    );
    assert_eq!(
        answers[2].as_ref().unwrap_err().kind(),
        io::ErrorKind::NotFound
    );
    assert_eq!(current().unwrap(), here.id);
    let cookies: Vec<_> = answers
        .iter()
        .flatten()
        .map(|(_, _, cookie)| *cookie)
        .collect();
    if let [Some(one), Some(here), Some(other)] = cookies[..] {
        assert!(one != here && here != other && one != other);
    }
    // Nothing pins them: once their threads are gone, so are they.
    let path = one.netns.path.clone();
    drop(one);
    assert!(!path.exists());
}
