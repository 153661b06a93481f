//! On each kind of file system, multilog makes its journal, and killed loggers lose and duplicate nothing.

use std::fs;
use std::io::Write;

use super::kill::{Case, Run};
use super::namespace::{Kind, Scene, in_own_namespace};
use super::subject::Subject;
use testkit::logger::messages;
use testkit::{Workdir, until};

/// How many kills there are in the ordinary run, and in the long one.
const FEW: u64 = 5;
const MANY: u64 = 100;

/// Checks that a logger makes its journal on a file system, and kills loggers there.
fn prove(kind: Kind, kills: u64, cases: &'static [Case]) {
    in_own_namespace(move || {
        let Some(scene) = Scene::mount(kind, "700m") else { return };
        expect_journal(&scene);
        for &case in cases {
            Run::new(case, kills).inside(scene.path().into()).prove();
        }
    });
}

/// A logger makes its journal and says nothing; the page has its room on the disk.
#[track_caller]
fn expect_journal(scene: &Scene) {
    use std::os::unix::fs::MetadataExt;
    let dir = Workdir::inside(scene.path());
    let (input, mut output) = std::io::pipe().unwrap();
    let arguments = ["t", "./main"];
    let logger = Subject::Ours.start(&arguments, dir.path(), input);
    output.write_all(b"a line\n").unwrap();
    until("the line is logged", || fs::metadata(dir.join("main/current")).is_ok_and(|about| about.len() > 0));

    let said = messages(&dir);
    assert_eq!(said, "");
    let about = fs::metadata(dir.join("main/journal")).unwrap();
    assert!(about.blocks() * 512 >= 4096, "{} blocks", about.blocks());
    assert!(fs::read(dir.join("main/journal")).unwrap().starts_with(b"LOGYARD"));
    logger.kill();
}

const STAMPED: &[Case] = &[Case::Stamped];

#[test]
fn killed_loggers_on_ext2_lose_and_duplicate_nothing() {
    prove(Kind::Ext2, FEW, STAMPED);
}

#[test]
fn killed_loggers_on_ext3_lose_and_duplicate_nothing() {
    prove(Kind::Ext3, FEW, STAMPED);
}

#[test]
fn killed_loggers_on_ext4_lose_and_duplicate_nothing() {
    prove(Kind::Ext4, FEW, STAMPED);
}

#[test]
fn killed_loggers_on_xfs_lose_and_duplicate_nothing() {
    prove(Kind::Xfs, FEW, STAMPED);
}

#[test]
fn killed_loggers_on_btrfs_lose_and_duplicate_nothing() {
    prove(Kind::Btrfs, FEW, STAMPED);
}

#[test]
fn killed_loggers_on_vfat_lose_and_duplicate_nothing() {
    prove(Kind::Vfat, FEW, STAMPED);
}

#[test]
fn killed_loggers_on_tmpfs_lose_and_duplicate_nothing() {
    prove(Kind::Tmpfs, FEW, STAMPED);
}

#[test]
fn killed_loggers_on_overlayfs_lose_and_duplicate_nothing() {
    prove(Kind::Overlay, FEW, STAMPED);
}

#[test]
fn killed_loggers_on_fuse_lose_and_duplicate_nothing() {
    prove(Kind::Bindfs, FEW, STAMPED);
}

#[test]
fn where_no_file_can_be_mapped_a_warning_says_so_and_every_line_is_logged() {
    in_own_namespace(|| {
        let Some(scene) = Scene::mount(Kind::BindfsDirect, "") else { return };
        let dir = Workdir::inside(scene.path());
        let (input, mut output) = std::io::pipe().unwrap();
        output.write_all(b"a line\n").unwrap();
        drop(output);

        let mut logger = Subject::Ours.start(&["./main"], dir.path(), input);

        assert!(logger.end().success());
        assert_eq!(fs::read(dir.join("main/current")).unwrap(), b"a line\n");
        // Newer kernels may allow it.
        let said = messages(&dir);
        let unable = "multilog: warning: unable to keep ./main/journal: device does not support operation\n";
        assert!(said.is_empty() || said == unable, "{said}");
    });
}

#[test]
#[ignore = "takes minutes: .ci/torture"]
fn a_hundred_kills_of_each_kind_on_each_file_system_lose_and_duplicate_nothing() {
    const ALL: &[Case] = &[Case::Plain, Case::Stamped, Case::TwoDirectories, Case::Small, Case::Gzip];
    for kind in [
        Kind::Ext2,
        Kind::Ext3,
        Kind::Ext4,
        Kind::Xfs,
        Kind::Btrfs,
        Kind::Vfat,
        Kind::Tmpfs,
        Kind::Overlay,
        Kind::Bindfs,
    ] {
        prove(kind, MANY, ALL);
    }
}
