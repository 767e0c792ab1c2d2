//! Files that are damaged, cut, absent, full or simply wrong: each is refused with its place, none panics, none leaves
//! half a file behind.

use haploom::io::{
    AugmentOptions, AugmentWith, Format, MissingRule, MultiallelicRule, ReadOptions, UnphasedRule, WriteOptions,
    augment, read_panel, write_panel,
};
use haploom::panel::bits::BitMatrix;
use haploom::panel::samples::Samples;
use haploom::panel::sites::{Site, Sites};
use haploom::progress::Progress;
use haploom::{ErrorKind, Panel};
use proptest::prelude::*;
use std::path::Path;
use std::process::{Command, Stdio};

const HEADER: &str = "##fileformat=VCFv4.2\n##contig=<ID=7>\n##FORMAT=<ID=GT,Number=1,Type=String,Description=\"x\">\n\
                      #CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ta\tb\n";

fn keeping() -> ReadOptions {
    ReadOptions { missing: MissingRule::Keep, unphased: UnphasedRule::Keep, ..ReadOptions::default() }
}

fn read_text(text: &str, options: &ReadOptions) -> haploom::Result<haploom::io::Read> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.vcf");
    std::fs::write(&path, text).unwrap();
    read_panel(&path, options)
}

/// A record of two people.
fn record(position: u64, alternates: &str, a: &str, b: &str) -> String {
    format!("7\t{position}\t.\tA\t{alternates}\t.\t.\t.\tGT\t{a}\t{b}\n")
}

#[test]
fn each_refusal_says_kind_record_site_and_sample() {
    let first = record(5, "C", "0|1", "1|1");
    type Case = (ErrorKind, String, Option<u64>, Option<&'static str>, Option<&'static str>);
    let cases: Vec<Case> = vec![
        (ErrorKind::Missing, record(9, "C", "0|1", ".|."), Some(6), Some("7:9"), Some("b")),
        (ErrorKind::Missing, record(9, "C", ".|1", "0|0"), Some(6), Some("7:9"), Some("a")),
        (ErrorKind::Missing, record(9, "C", ".", "0|0"), Some(6), Some("7:9"), Some("a")),
        (ErrorKind::Unphased, record(9, "C", "0|1", "0/1"), Some(6), Some("7:9"), Some("b")),
        (ErrorKind::Unphased, record(9, "C", "./1", "0|1"), Some(6), Some("7:9"), Some("a")),
        (ErrorKind::Ploidy, record(9, "C", "0", "0|1"), Some(6), Some("7:9"), Some("a")),
        (ErrorKind::Ploidy, record(9, "C", "0|1|1", "0|1"), Some(6), Some("7:9"), Some("a")),
        (ErrorKind::Unsorted, record(4, "C", "0|1", "0|1"), Some(6), Some("7:4"), None),
        (ErrorKind::Duplicate, record(5, "C", "0|1", "0|1"), Some(6), Some("7:5"), None),
        (ErrorKind::Malformed, record(9, "C", "0|2", "0|1"), Some(6), Some("7:9"), Some("a")),
        (ErrorKind::Malformed, record(9, "C", "0|x", "0|1"), Some(6), Some("7:9"), Some("a")),
        (ErrorKind::Malformed, record(9, "C", "", "0|1"), Some(6), Some("7:9"), Some("a")),
        (ErrorKind::Malformed, record(9, "C", "0|1", "0|1\t0|1"), Some(6), Some("7:9"), None),
        (ErrorKind::Malformed, record(9, "A", "0|1", "0|1"), Some(6), Some("7:9"), None),
        (ErrorKind::Malformed, record(9, "C,", "0|1", "0|1"), Some(6), Some("7:9"), None),
        (ErrorKind::Malformed, "7\tx\t.\tA\tC\t.\t.\t.\tGT\t0|1\t0|1\n".into(), Some(6), None, None),
        (ErrorKind::Malformed, "7\t9\t.\tA\tC\n".into(), Some(6), None, None),
        (ErrorKind::Unsorted, format!("8\t1\t.\tA\tC\t.\t.\t.\tGT\t0|1\t0|1\n{first}"), Some(7), Some("7:5"), None),
        (ErrorKind::Truncated, record(9, "C", "0|1", "0|").trim_end().into(), Some(6), Some("7:9"), Some("b")),
        (ErrorKind::Truncated, "7\t9\t.\tA\tC\t.\t.\t.\tGT\t0|1".into(), Some(6), None, None),
        (ErrorKind::Truncated, "7\t9\t.\tA".into(), Some(6), None, None),
    ];
    for (kind, text, line, site, sample) in cases {
        let e = read_text(&format!("{HEADER}{first}{text}"), &ReadOptions::default()).unwrap_err();
        assert_eq!(e.kind(), kind, "{text}: {e}");
        let place = e.place();
        assert_eq!((place.record, place.site.as_deref(), place.sample.as_deref()), (line, site, sample), "{text}: {e}");
        assert!(place.file.is_some() && e.advice().is_some(), "{text}: {e}");
    }
}

#[test]
fn files_without_what_a_panel_needs_are_refused() {
    let bare = HEADER.replace("\tFORMAT\ta\tb", "");
    for (kind, text) in [
        (ErrorKind::Truncated, String::new()),
        (ErrorKind::Truncated, "##fileformat=VCFv4.2\n##x=y\n".into()),
        (ErrorKind::Empty, HEADER.into()),
        (ErrorKind::Empty, bare),
        (ErrorKind::Empty, format!("{HEADER}7\t9\t.\tA\tC\t.\t.\t.\tDS\t0\t1\n")),
        (ErrorKind::Empty, format!("{HEADER}{}", record(9, ".", "0|0", "0|0"))),
        (ErrorKind::Duplicate, format!("{}{}", HEADER.replace("a\tb", "a\ta"), record(9, "C", "0|0", "0|0"))),
        (ErrorKind::Malformed, format!("{}{}", HEADER.replace("#CHROM", "#CHR"), record(9, "C", "0|0", "0|0"))),
        (ErrorKind::UnknownFormat, "Dear reader,\nthis is no panel.\n".into()),
        (ErrorKind::UnknownFormat, "id position a0 a1\n".into()),
        (ErrorKind::UnknownFormat, "\u{1}\u{2}\u{3}".into()),
    ] {
        let e = read_text(&text, &ReadOptions::default()).unwrap_err();
        assert_eq!(e.kind(), kind, "{text:?}: {e}");
        assert!(e.place().file.is_some(), "{e}");
    }
}

#[test]
fn rules_for_what_a_complete_panel_cannot_hold() {
    let bits = |text: &str, options: &ReadOptions| {
        let read = read_text(text, options).unwrap();
        let panel = read.panel;
        let rows: Vec<String> = (0..panel.haplotypes())
            .map(|h| (0..panel.sites().len()).map(|c| if panel.bits().get(h, c) { '1' } else { '0' }).collect())
            .collect();
        (rows.join(" "), read.notices)
    };
    let plain = ReadOptions::default();
    let split = format!("{HEADER}{}{}", record(5, "C,G,*", "1|2", "3|0"), record(9, "<DEL>", "0|1", "0/0"));
    let (rows, notices) = bits(&split, &plain);
    assert_eq!(rows, "100 011 000 000");
    assert_eq!(notices, ["1 multiallelic records were split into biallelic sites"]);
    let drop = ReadOptions { multiallelic: MultiallelicRule::Drop, ..plain.clone() };
    assert_eq!(bits(&split, &drop).0, "0 1 0 0");
    let refuse = ReadOptions { multiallelic: MultiallelicRule::Refuse, ..plain.clone() };
    assert_eq!(read_text(&split, &refuse).unwrap_err().kind(), ErrorKind::Multiallelic);

    let holes = format!("{HEADER}{}{}", record(5, "C", ".|1", "1|1"), record(9, "C", "0|1", "0|0"));
    let with = |missing| ReadOptions { missing, ..plain.clone() };
    assert_eq!(bits(&holes, &with(MissingRule::Reference)).0, "00 11 10 10");
    // All three known alleles are 1.
    assert_eq!(bits(&holes, &with(MissingRule::Frequency)).0, "10 11 10 10");
    let (rows, notices) = bits(&holes, &with(MissingRule::DropSite));
    assert_eq!((rows.as_str(), notices.len()), ("0 1 0 0", 1));

    let unphased = format!("{HEADER}{}", record(5, "C", "1/0", "0|1"));
    assert_eq!(bits(&unphased, &ReadOptions { unphased: UnphasedRule::AsWritten, ..plain.clone() }).0, "1 0 0 1");
    let kept = read_text(&unphased, &keeping()).unwrap().panel;
    assert!(kept.unphased().unwrap().get(0, 0) && !kept.unphased().unwrap().get(1, 0));

    let skipped = format!(
        "{HEADER}{}{}7\t11\t.\tA\tC\t.\t.\t.\tDS\t1\t1\n{}",
        record(5, "*", "0|1", "0|0"),
        record(6, ".", "0|0", "0|0"),
        record(12, "C", "1|0", "0|0")
    );
    let (rows, notices) = bits(&skipped, &plain);
    assert_eq!((rows.as_str(), notices.len()), ("1 0 0 0", 3), "{notices:?}");
}

/// The frequency rule draws by site and person: 2,000 draws at frequency 1/4, within 5 standard errors (false alarm 6e-7),
/// and the same whatever else is read.
#[test]
fn missing_alleles_are_drawn_from_the_frequency_by_site() {
    let mut text = String::from(HEADER);
    let header = "##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ta\tb\tc\n";
    text.replace_range(.., header);
    (1..=1000).for_each(|p| text.push_str(&format!("7\t{p}\t.\tA\tC\t.\t.\t.\tGT\t.\t0|1\t0|0\n")));
    let options = ReadOptions { missing: MissingRule::Frequency, seed: 3, ..ReadOptions::default() };
    let panel = read_text(&text, &options).unwrap().panel;
    let ones = (panel.bits().count_row(0) + panel.bits().count_row(1)) as f64;
    assert!((ones - 500.0).abs() < 5.0 * (2000.0f64 * 0.25 * 0.75).sqrt(), "{ones}");
    let part = ReadOptions { region: Some("7:500-600".parse().unwrap()), ..options };
    assert_eq!(read_text(&text, &part).unwrap().panel, panel.in_region(&"7:500-600".parse().unwrap()).unwrap());
}

fn small_panel() -> Panel {
    let site = |i: usize| Site {
        contig: if i < 30 { "7".into() } else { "8".into() },
        position: 1 + 40_000 * i as u64,
        id: format!("{}:{}_A_C", if i < 30 { 7 } else { 8 }, 1 + 40_000 * i).into(),
        reference: "A".into(),
        alternate: "C".into(),
    };
    let stream = haploom::rng::Stream::new(5, haploom::rng::Purpose::Evaluate, 0);
    let bits = BitMatrix::from_fn(40, 60, |r, c| stream.word((r * 60 + c) as u64) & 1 == 1).unwrap();
    Panel::artificial(Sites::new((0..60).map(site).collect()).unwrap(), bits, "P").unwrap()
}

#[test]
fn compressed_files_cut_anywhere_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let panel = small_panel();
    for name in ["a.vcf.gz", "a.bcf"] {
        let path = dir.path().join(name);
        write_panel(&path, &panel, &WriteOptions { index: false, ..WriteOptions::default() }).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for n in 0..whole.len() {
            std::fs::write(&path, &whole[..n]).unwrap();
            for threads in [1, 2] {
                let e = read_panel(&path, &ReadOptions { threads, ..ReadOptions::default() });
                let kind = e.expect_err("a cut file").kind();
                assert!(matches!(kind, ErrorKind::Truncated | ErrorKind::UnknownFormat), "{name} cut at {n}: {kind:?}");
                if n % 16 != 0 {
                    break;
                }
            }
        }
    }
    // A gzip file that is no BGZF has no last block, but a length and a checksum.
    let path = dir.path().join("b.vcf");
    write_panel(&path, &panel, &WriteOptions::default()).unwrap();
    assert!(Command::new("gzip").arg(&path).status().unwrap().success());
    let path = dir.path().join("b.vcf.gz");
    assert_eq!(read_panel(&path, &ReadOptions::default()).unwrap().panel, panel);
    let whole = std::fs::read(&path).unwrap();
    for n in (0..whole.len()).step_by(7) {
        std::fs::write(&path, &whole[..n]).unwrap();
        assert!(read_panel(&path, &ReadOptions::default()).is_err(), "cut at {n}");
    }
}

#[test]
fn plain_files_cut_anywhere_give_whole_records_or_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let panel = small_panel();
    let path = dir.path().join("a.vcf");
    write_panel(&path, &panel, &WriteOptions::default()).unwrap();
    let raw = dir.path().join("raw.bcf");
    let made = Command::new("bcftools").args(["view", "-Ou", "-o"]).args([&raw, &path]).status().unwrap();
    assert!(made.success());
    for path in [path, raw] {
        let whole = std::fs::read(&path).unwrap();
        for n in (0..whole.len()).rev().step_by(3) {
            std::fs::write(&path, &whole[..n]).unwrap();
            if let Ok(read) = read_panel(&path, &ReadOptions::default()) {
                let m = read.panel.sites().len();
                assert_eq!(read.panel, panel.select_sites(&(0..m).collect::<Vec<_>>()).unwrap(), "cut at {n}");
            }
        }
    }
}

fn augment_quietly(path: &Path, panel: &Panel, output: &Path) {
    let bits = panel.bits().transpose().unwrap();
    let samples = Samples::diploid((0..panel.samples().len()).map(|i| format!("A{i}"))).unwrap();
    let with = AugmentWith { sites: panel.sites(), bits: &bits, samples: &samples };
    let options = AugmentOptions { outside: haploom::io::Outside::Missing, ..AugmentOptions::default() };
    let _ = augment(path, output, &with, &options, &mut Progress::none());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    /// Compressed data carry checksums: a damaged file is refused, or reads the same (a byte that says nothing).
    #[test]
    fn damaged_compressed_files_never_read_as_another_panel(place: prop::sample::Index, bit in 0u8..8, bcf: bool, threads in 1usize..3) {
        let dir = tempfile::tempdir().unwrap();
        let panel = small_panel();
        let path = dir.path().join(if bcf { "a.bcf" } else { "a.vcf.gz" });
        write_panel(&path, &panel, &WriteOptions { index: false, ..WriteOptions::default() }).unwrap();
        let mut bytes = std::fs::read(&path).unwrap();
        let i = place.index(bytes.len());
        bytes[i] ^= 1 << bit;
        std::fs::write(&path, bytes).unwrap();
        if let Ok(read) = read_panel(&path, &ReadOptions { threads, ..ReadOptions::default() }) {
            prop_assert_eq!(read.panel, panel);
        }
    }

    /// Without checksums nothing can tell, but nothing panics, hangs or takes memory that is not there.
    #[test]
    fn damaged_plain_files_never_panic(places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6), kind in 0usize..4) {
        let dir = tempfile::tempdir().unwrap();
        let panel = small_panel();
        let path = dir.path().join(["a.vcf", "a.bcf", "a.hap", "a.hapt"][kind]);
        let (written, target) = match kind {
            1 => (dir.path().join("z.bcf"), path.clone()),
            _ => (path.clone(), path.clone()),
        };
        write_panel(&written, &panel, &WriteOptions { index: false, ..WriteOptions::default() }).unwrap();
        let mut bytes = match kind {
            1 => Command::new("bgzip").args(["-dc"]).arg(&written).output().unwrap().stdout,
            _ => std::fs::read(&written).unwrap(),
        };
        for (place, value) in &places {
            let i = place.index(bytes.len());
            bytes[i] = *value;
        }
        std::fs::write(&target, bytes).unwrap();
        let _ = read_panel(&path, &keeping());
        let _ = read_panel(&path, &ReadOptions { region: Some("7".parse().unwrap()), ..keeping() });
        if kind < 2 {
            augment_quietly(&path, &panel, &dir.path().join("out.bcf"));
            augment_quietly(&path, &panel, &dir.path().join("out.vcf"));
        }
    }

    /// An index that lies costs an error or nothing, and never gives records of elsewhere.
    #[test]
    fn damaged_indexes_give_no_records_from_elsewhere(places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4), bcf: bool) {
        let dir = tempfile::tempdir().unwrap();
        let panel = small_panel();
        let path = dir.path().join(if bcf { "a.bcf" } else { "a.vcf.gz" });
        write_panel(&path, &panel, &WriteOptions::default()).unwrap();
        let index = dir.path().join(if bcf { "a.bcf.csi" } else { "a.vcf.gz.tbi" });
        let mut bytes = Command::new("bgzip").args(["-dc"]).arg(&index).output().unwrap().stdout;
        for (place, value) in &places {
            let i = place.index(bytes.len());
            bytes[i] = *value;
        }
        std::fs::write(&index, bytes).unwrap();
        let region: haploom::panel::region::Region = "8:1300000-1900000".parse().unwrap();
        if let Ok(read) = read_panel(&path, &ReadOptions { region: Some(region.clone()), ..ReadOptions::default() }) {
            prop_assert!(read.panel.sites().iter().all(|s| region.contains(&s.contig, s.position)));
        }
    }
}

#[test]
fn regions_that_are_not_there_say_what_is() {
    let dir = tempfile::tempdir().unwrap();
    let panel = small_panel();
    for name in ["a.vcf", "a.vcf.gz", "a.bcf", "a.hap", "a.hapt"] {
        let path = dir.path().join(name);
        write_panel(&path, &panel, &WriteOptions::default()).unwrap();
        let refusal = |region: &str| {
            let options = ReadOptions { region: Some(region.parse().unwrap()), ..ReadOptions::default() };
            read_panel(&path, &options).unwrap_err()
        };
        let e = refusal("chr7:1-5");
        assert_eq!(e.kind(), ErrorKind::Region, "{e}");
        assert!(e.to_string().contains("the file names it 7"), "{e}");
        let e = refusal("9");
        assert!(e.kind() == ErrorKind::Region && e.to_string().contains("7, 8"), "{e}");
        assert_eq!(refusal("7:2-40000").kind(), ErrorKind::Empty);
        assert_eq!(refusal("8:900000000-").kind(), ErrorKind::Empty);
        let options = ReadOptions { samples: Some((vec!["nobody".into()], false)), ..ReadOptions::default() };
        let e = read_panel(&path, &options).unwrap_err();
        assert_eq!((e.kind(), e.place().sample.as_deref()), (ErrorKind::UnknownName, Some("nobody")));
    }
}

#[test]
fn an_index_older_than_its_file_is_not_used() {
    let dir = tempfile::tempdir().unwrap();
    let panel = small_panel();
    let path = dir.path().join("a.vcf.gz");
    write_panel(&path, &panel, &WriteOptions::default()).unwrap();
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    std::fs::File::options().write(true).open(dir.path().join("a.vcf.gz.tbi")).unwrap().set_modified(old).unwrap();
    let options = ReadOptions { region: Some("8".parse().unwrap()), ..ReadOptions::default() };
    let read = read_panel(&path, &options).unwrap();
    assert!(read.notices[0].contains("older"), "{:?}", read.notices);
    assert_eq!(read.panel.sites().len(), 30);
}

#[test]
fn what_is_no_file_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let kind = |path: &Path| read_panel(path, &ReadOptions::default()).unwrap_err();
    assert!(kind(dir.path()).to_string().contains("folder"));
    let e = kind(&dir.path().join("absent.vcf"));
    assert!(e.kind() == ErrorKind::Io && e.to_string().contains("absent.vcf"), "{e}");
    let panel = small_panel();
    for path in [dir.path().join("absent/x.vcf"), dir.path().join("x.txt"), dir.path().to_path_buf()] {
        let options = WriteOptions { format: Some(Format::Vcf), ..WriteOptions::default() };
        let kind = write_panel(&path, &panel, &options).map_err(|e| e.kind());
        assert_eq!(kind.is_err(), path.extension().is_none() || path.starts_with(dir.path().join("absent")));
    }
    let e = write_panel(&dir.path().join("y.txt"), &panel, &WriteOptions::default()).unwrap_err();
    assert_eq!(e.kind(), ErrorKind::UnknownFormat);
    // A panel without its legend, and one whose legend is another's.
    let hap = dir.path().join("p.hap");
    write_panel(&hap, &panel, &WriteOptions::default()).unwrap();
    std::fs::rename(dir.path().join("p.legend"), dir.path().join("q.legend")).unwrap();
    let e = kind(&hap);
    assert!(e.to_string().contains("p.legend"), "{e}");
    let text = std::fs::read_to_string(dir.path().join("q.legend")).unwrap();
    let cut = &text[..text.trim_end().rfind('\n').unwrap() + 1];
    std::fs::write(dir.path().join("p.legend"), cut).unwrap();
    assert_eq!(kind(&hap).kind(), ErrorKind::Malformed);
}

#[test]
fn formats_refuse_what_they_cannot_hold() {
    let dir = tempfile::tempdir().unwrap();
    let holes = format!("{HEADER}{}", record(5, "C", ".|1", "0|1"));
    let unphased = format!("{HEADER}{}", record(5, "C", "0/1", "0|1"));
    let holes = read_text(&holes, &keeping()).unwrap().panel;
    let unphased = read_text(&unphased, &keeping()).unwrap().panel;
    let kind = |name: &str, panel: &Panel| {
        write_panel(&dir.path().join(name), panel, &WriteOptions::default()).map_err(|e| e.kind())
    };
    assert_eq!(kind("a.hapt", &holes), Err(ErrorKind::Missing));
    assert_eq!(kind("a.hap", &holes), Ok(()));
    assert_eq!(kind("b.hap", &unphased), Err(ErrorKind::Unphased));
    assert_eq!(kind("b.hapt", &unphased), Err(ErrorKind::Unphased));
    let options = WriteOptions { header_lines: vec![("a".into(), "b\nc".into())], ..WriteOptions::default() };
    assert!(write_panel(&dir.path().join("c.vcf"), &holes, &options).is_err());
    let dash = WriteOptions { format: Some(Format::Hapt { gz: false }), ..WriteOptions::default() };
    assert!(write_panel(Path::new("-"), &small_panel(), &dash).is_err());
}

#[test]
fn a_full_device_is_an_error() {
    let panel = small_panel();
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join("in.bcf");
    write_panel(&input, &panel, &WriteOptions::default()).unwrap();
    for format in [Format::Vcf, Format::VcfGz, Format::Bcf] {
        for threads in [1, 2] {
            let options = WriteOptions { format: Some(format), threads, ..WriteOptions::default() };
            let e = write_panel(Path::new("/dev/full"), &panel, &options).expect_err("a full device");
            assert!(e.kind() == ErrorKind::Io && e.to_string().contains("/dev/full"), "{e}");
            let bits = panel.bits().transpose().unwrap();
            let samples = Samples::diploid((0..panel.samples().len()).map(|i| format!("A{i}"))).unwrap();
            let with = AugmentWith { sites: panel.sites(), bits: &bits, samples: &samples };
            let options = AugmentOptions { format: Some(format), threads, ..AugmentOptions::default() };
            let e = augment(&input, Path::new("/dev/full"), &with, &options, &mut Progress::none());
            assert_eq!(e.expect_err("a full device").kind(), ErrorKind::Io);
        }
    }
}

#[test]
fn a_full_disk_leaves_the_file_and_index_of_before() {
    let dir = tempfile::tempdir().unwrap();
    let disk = dir.path().join("disk");
    std::fs::create_dir(&disk).unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"])
        .arg(&disk)
        .stderr(Stdio::null())
        .status();
    if !mounted.is_ok_and(|s| s.success()) {
        println!("skipped: a small tmpfs cannot be mounted here");
        return;
    }
    let small = small_panel();
    let stream = haploom::rng::Stream::new(5, haploom::rng::Purpose::Evaluate, 0);
    let people = 20_000;
    let bits = BitMatrix::from_fn(2 * people, 60, |r, c| stream.word((r * 60 + c) as u64) & 1 == 1).unwrap();
    let large = Panel::artificial(small.sites().clone(), bits, "P").unwrap();
    let mut outcome = Vec::new();
    for name in ["a.vcf.gz", "a.bcf", "a.pgen"] {
        let path = disk.join(name);
        write_panel(&path, &small, &WriteOptions::default()).unwrap();
        let list = || {
            let mut files: Vec<_> = std::fs::read_dir(&disk).unwrap().map(|f| f.unwrap().path()).collect();
            files.sort();
            files.into_iter().map(|f| (std::fs::read(&f).unwrap(), f)).collect::<Vec<_>>()
        };
        let before = list();
        let e = write_panel(&path, &large, &WriteOptions { threads: 2, ..WriteOptions::default() });
        outcome.push((e.map_err(|e| e.to_string()), before == list()));
    }
    assert!(Command::new("umount").arg("-l").arg(&disk).status().unwrap().success());
    for (e, same) in outcome {
        let e = e.expect_err("a full disk");
        assert!(e.contains("No space") && e.contains("make room"), "{e}");
        assert!(same, "the disk is not as it was");
    }
}

/// The other half of the next test: reads standard input in a process of its own.
#[test]
fn child_reads_standard_input() {
    if std::env::var_os("HAPLOOM_TEST_CHILD").is_none() {
        return;
    }
    match read_panel(Path::new("-"), &ReadOptions { threads: 2, ..ReadOptions::default() }) {
        Ok(read) => println!("fingerprint {}", read.panel.fingerprint()),
        Err(e) => println!("refused {}", e.kind().name()),
    }
}

#[test]
fn standard_input_is_read_and_htslib_says_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let panel = small_panel();
    let child = |bytes: &[u8]| {
        let path = dir.path().join("stdin");
        std::fs::write(&path, bytes).unwrap();
        // Through a pipe, which cannot be looked at from its end.
        let mut cat = Command::new("cat").arg(&path).stdout(Stdio::piped()).spawn().unwrap();
        let out = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_reads_standard_input", "--nocapture"])
            .env("HAPLOOM_TEST_CHILD", "1")
            .stdin(cat.stdout.take().unwrap())
            .output()
            .unwrap();
        cat.wait().unwrap();
        assert!(out.stderr.is_empty(), "{}", String::from_utf8_lossy(&out.stderr));
        String::from_utf8(out.stdout).unwrap()
    };
    for name in ["a.vcf", "a.vcf.gz", "a.bcf", "a.hapt.gz"] {
        let path = dir.path().join(name);
        write_panel(&path, &panel, &WriteOptions::default()).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let said = child(&bytes);
        assert!(said.contains(&format!("fingerprint {}", panel.fingerprint())), "{name}: {said}");
        if name != "a.vcf" {
            let said = child(&bytes[..bytes.len() - 28]);
            assert!(said.contains("refused TRUNCATED"), "{name}: {said}");
            let said = child(&bytes[..bytes.len() / 2]);
            assert!(said.contains("refused"), "{name}: {said}");
        }
    }
}
