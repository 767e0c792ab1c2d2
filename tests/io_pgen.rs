//! PLINK 2 sets: what plink2 writes is read, what is written plink2 reads, and damaged sets are refused.

use haploom::io::{
    Format, MissingRule, MultiallelicRule, ReadOptions, UnphasedRule, WriteOptions, read_panel, write_panel,
};
use haploom::panel::bits::BitMatrix;
use haploom::panel::region::Region;
use haploom::panel::samples::{Sample, Samples};
use haploom::panel::sites::{Site, Sites};
use haploom::rng::{Purpose, Stream};
use haploom::{ErrorKind, Panel};
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

fn keeping() -> ReadOptions {
    ReadOptions { missing: MissingRule::Keep, unphased: UnphasedRule::Keep, ..ReadOptions::default() }
}

/// Runs plink2, which has to succeed, with `--out` in front.
#[track_caller]
fn plink2(out: &Path, arguments: &[&str]) {
    let output = Command::new("plink2")
        .args(["--threads", "1", "--memory", "640", "--allow-extra-chr", "--out"])
        .arg(out)
        .args(arguments)
        .output()
        .expect("plink2 is installed (make test installs it)");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "plink2 {arguments:?}: {}{}", text(&output.stdout), text(&output.stderr));
}

fn demo() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo.bcf")
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// The panel with the alleles of unphased genotypes in rising order, which is all that a `.pgen` holds of them.
fn in_order(panel: &Panel) -> Panel {
    let Some(unphased) = panel.unphased() else { return panel.clone() };
    let mut bits = panel.bits().clone();
    for i in 0..panel.samples().len() {
        let first = panel.samples().haplotypes_of(i).start;
        for s in (0..panel.sites().len()).filter(|s| unphased.get(i, *s)) {
            if !bits.get(first, s) {
                continue;
            }
            let second = bits.get(first + 1, s);
            bits.set(first, s, second);
            bits.set(first + 1, s, true);
        }
    }
    Panel::with_planes(
        panel.sites().clone(),
        panel.samples().clone(),
        bits,
        panel.missing().cloned(),
        panel.unphased().cloned(),
    )
    .unwrap()
}

/// A panel of diploid people with missing and unphased genotypes; the contigs are autosomes, and one that plink2 does
/// not know.
fn panel(people: usize, sites: usize, seed: u64, holes: bool) -> Panel {
    let mut random = Stream::new(seed, Purpose::Evaluate, 0).reader(0);
    let names = (0..people).map(|i| format!("p.{i}-x_"));
    let samples = Samples::diploid(names).unwrap();
    let site = |i: usize| Site {
        contig: if i < sites / 2 { "15" } else { "HLA:01" }.into(),
        position: 1 + 7 * (i as u64 / 2),
        id: if i.is_multiple_of(3) { "".into() } else { format!("rs{i};v").into() },
        reference: "A".into(),
        alternate: if i.is_multiple_of(2) { "CT" } else { "<DEL>" }.into(),
    };
    let all = Sites::new((0..sites).map(site).collect()).unwrap();
    let gone = BitMatrix::from_fn(people, sites, |_, _| holes && random.below(9) == 0).unwrap();
    let missing = BitMatrix::from_fn(2 * people, sites, |h, s| gone.get(h / 2, s)).unwrap();
    let rate: Vec<usize> = (0..sites).map(|_| [1, 2, 40, 400][random.below(4)]).collect();
    let bits = BitMatrix::from_fn(2 * people, sites, |h, s| random.below(rate[s] + 1) == rate[s] && !missing.get(h, s))
        .unwrap();
    // At some sites all, at some none, at some a few of the genotypes are unphased.
    let kind: Vec<usize> = (0..sites).map(|_| random.below(3)).collect();
    let unphased = BitMatrix::from_fn(people, sites, |i, s| {
        let draw = random.below(2) == 0;
        holes && bits.get(2 * i, s) != bits.get(2 * i + 1, s) && (kind[s] == 2 || (kind[s] == 1 && draw))
    })
    .unwrap();
    Panel::with_planes(all, samples, bits, Some(missing), Some(unphased)).unwrap()
}

/// A VCF whose sites make plink2 use every kind of record: rare, common, inverted and mostly missing ones, copies of
/// the one before with a few changes, and several alternate alleles.
fn vcf_of_every_kind(people: usize, sites: usize, seed: u64, holes: bool, multiallelic: bool) -> String {
    let mut random = Stream::new(seed, Purpose::Evaluate, 1).reader(0);
    let mut text = String::from(
        "##fileformat=VCFv4.2\n##contig=<ID=15>\n##contig=<ID=16>\n\
         ##FORMAT=<ID=GT,Number=1,Type=String,Description=\"x\">\n\
         #CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT",
    );
    (0..people).for_each(|i| write!(text, "\ts{i}").unwrap());
    text.push('\n');
    let bases =
        ["C", "G", "T", "AC", "AG", "AT", "AA", "CC", "CG", "CT", "CA", "GG", "GA", "GC", "GT", "TT", "TA", "TC"];
    let mut before: Vec<usize> = vec![0; 2 * people];
    for s in 0..sites {
        let alternates = match multiallelic && random.below(2) == 0 {
            true => [2, 3, 5, 7, 18][random.below(5)],
            false => 1,
        };
        let kind = random.below(9);
        let mut alleles: Vec<usize> = before.clone();
        for allele in &mut alleles {
            let other = 1 + random.below(alternates);
            *allele = match kind {
                0 | 1 if random.below(100) > 0 => (*allele).min(alternates),
                2 | 3 if random.below(100) > 0 => usize::from(*allele == 0),
                4 if random.below(60) > 0 => 0,
                5 if random.below(60) > 0 => 1,
                6 if random.below(3) > 0 => 0,
                _ => [0, other][random.below(2)],
            };
        }
        write!(text, "{}\t{}\t.\tA\t{}", if s < sites / 2 { 15 } else { 16 }, 10 + s, bases[..alternates].join(","))
            .unwrap();
        text.push_str("\t.\t.\t.\tGT");
        let gone = if kind == 8 { 19 } else { 1 };
        for pair in alleles.as_chunks::<2>().0 {
            let sign = if holes && random.below(8) == 0 { '/' } else { '|' };
            match holes && random.below(20) < gone {
                true => text.push_str("\t./."),
                false => write!(text, "\t{}{sign}{}", pair[0], pair[1]).unwrap(),
            }
        }
        text.push('\n');
        before = alleles;
    }
    text
}

/// The types of the records of a file with eight bits a type.
fn types(pgen: &Path) -> Vec<u8> {
    let bytes = fs::read(pgen).unwrap();
    assert!((4..8).contains(&(bytes[11] & 15)), "layout {:#x}", bytes[11]);
    let variants = u32::from_le_bytes([bytes[3], bytes[4], bytes[5], bytes[6]]) as usize;
    assert!(variants <= 1 << 16);
    bytes[20..20 + variants].to_vec()
}

#[test]
fn plink2_reads_what_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let mut panels = vec![read_panel(&demo(), &keeping()).unwrap().panel];
    panels.extend([1, 2, 5, 31, 32, 33, 64, 255, 256, 257].map(|people| panel(people, 40, people as u64, true)));
    for panel in panels {
        let header_lines = vec![("haploom_model".to_string(), "of a test, 1".to_string())];
        let options = WriteOptions { header_lines, ..WriteOptions::default() };
        write_panel(&at("a.pgen"), &panel, &options).unwrap();
        assert_eq!(read_panel(&at("a.pgen"), &keeping()).unwrap().panel, in_order(&panel));
        plink2(&at("v"), &["--pfile", text(&at("a")), "--validate"]);
        plink2(&at("b"), &["--pfile", text(&at("a")), "--freq", "--export", "vcf"]);
        let back = read_panel(&at("b.vcf"), &keeping()).unwrap().panel;
        assert_eq!(back, in_order(&panel), "{} people", panel.samples().len());
        let frequencies = fs::read_to_string(at("b.afreq")).unwrap();
        for (line, ours) in frequencies.lines().skip(1).zip(panel.frequencies()) {
            let theirs = line.split('\t').nth(4).unwrap();
            // plink2 prints six digits, and nan where nobody is known.
            assert!(theirs == "nan" || (theirs.parse::<f64>().unwrap() - ours).abs() < 1e-5, "{theirs} {ours}");
        }
        assert_eq!(frequencies.lines().count(), 1 + panel.sites().len());
    }
}

#[test]
fn what_plink2_writes_reads_as_the_vcf_that_it_was_made_from() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let mut seen = BTreeSet::new();
    for (people, multiallelic) in [
        (1, false),
        (4, true),
        (63, true),
        (255, false),
        (256, false),
        (256, true),
        (257, true),
        (1100, true),
        (700, false),
    ] {
        for holes in [false, true] {
            fs::write(at("a.vcf"), vcf_of_every_kind(people, 90, people as u64, holes, multiallelic)).unwrap();
            plink2(&at("a"), &["--vcf", text(&at("a.vcf")), "--make-pgen"]);
            for rule in [MultiallelicRule::Split, MultiallelicRule::Drop] {
                let options = ReadOptions { multiallelic: rule, ..keeping() };
                let vcf = read_panel(&at("a.vcf"), &options).unwrap().panel;
                let pgen = read_panel(&at("a.pgen"), &options).unwrap().panel;
                assert!(in_order(&pgen) == in_order(&vcf), "{people} people, {holes}, {multiallelic}");
            }
            seen.extend(types(&at("a.pgen")));
        }
    }
    // Every way to pack the genotypes occurred, with and without phase and further alleles.
    let of = |mask: u8| seen.iter().map(|t| t & mask).collect::<BTreeSet<u8>>();
    assert_eq!(of(7), BTreeSet::from([0, 1, 2, 3, 4, 6, 7]), "{seen:?}");
    assert_eq!(of(0x18), BTreeSet::from([0, 0x08, 0x10, 0x18]), "{seen:?}");
}

#[test]
fn the_demo_panel_comes_back_from_plink2() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    plink2(&at("a"), &["--bcf", text(&demo()), "--make-pgen"]);
    let theirs = read_panel(&at("a.pgen"), &ReadOptions::default()).unwrap();
    assert!(theirs.panel == read_panel(&demo(), &ReadOptions::default()).unwrap().panel);
    assert!(theirs.notices.is_empty(), "{:?}", theirs.notices);
}

#[test]
fn chr15_comes_back_from_plink2() {
    let Some(data) = std::env::var_os("HAPLOOM_DATA") else {
        eprintln!("HAPLOOM_DATA is not set: chr15_comes_back_from_plink2 is skipped");
        return;
    };
    let vcf = Path::new(&data).join("1000G_p3_chr15_10K_b37.vcf.gz");
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    plink2(&at("a"), &["--vcf", text(&vcf), "--make-pgen"]);
    let panel = read_panel(&vcf, &ReadOptions::default()).unwrap().panel;
    assert!(read_panel(&at("a.pgen"), &ReadOptions::default()).unwrap().panel == panel);
    write_panel(&at("b.pgen"), &panel, &WriteOptions::default()).unwrap();
    assert!(read_panel(&at("b.pgen"), &ReadOptions::default()).unwrap().panel == panel);
    plink2(&at("c"), &["--pfile", text(&at("b")), "--export", "vcf", "bgz"]);
    assert!(read_panel(&at("c.vcf.gz"), &ReadOptions::default()).unwrap().panel == panel);
}

#[test]
fn regions_people_and_rules_are_those_of_the_vcf() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::write(at("a.vcf"), vcf_of_every_kind(257, 120, 3, true, true)).unwrap();
    plink2(&at("a"), &["--vcf", text(&at("a.vcf")), "--make-pgen"]);
    let some: Vec<String> = ["s3", "s256", "s200"].map(String::from).into();
    let mut options = Vec::new();
    for region in [None, Some("15:40-41"), Some("15:33"), Some("16"), Some("16:100-")] {
        for samples in [None, Some((some.clone(), false)), Some((some.clone(), true))] {
            for missing in [MissingRule::Keep, MissingRule::Reference, MissingRule::Frequency] {
                let region = region.map(|r| r.parse().unwrap());
                options.push(ReadOptions { region, samples: samples.clone(), missing, ..keeping() });
            }
        }
    }
    for options in options {
        let [vcf, pgen] = ["a.vcf", "a.pgen"].map(|name| read_panel(&at(name), &options).unwrap());
        assert!(in_order(&pgen.panel) == in_order(&vcf.panel), "{options:?}");
        assert_eq!(pgen.notices, vcf.notices, "{options:?}");
    }
    for (region, kind) in [("17", ErrorKind::Region), ("chr15", ErrorKind::Region), ("15:1-5", ErrorKind::Empty)] {
        let options = ReadOptions { region: Some(region.parse().unwrap()), ..keeping() };
        assert_eq!(read_panel(&at("a.pgen"), &options).unwrap_err().kind(), kind, "{region}");
    }
    // What is refused says where.
    for (missing, unphased, kind) in [
        (MissingRule::Refuse, UnphasedRule::Keep, ErrorKind::Missing),
        (MissingRule::Keep, UnphasedRule::Refuse, ErrorKind::Unphased),
    ] {
        let e = read_panel(&at("a.pgen"), &ReadOptions { missing, unphased, ..keeping() }).unwrap_err();
        assert_eq!(e.kind(), kind);
        let place = e.place();
        assert!(place.record.is_some() && place.site.is_some() && place.sample.is_some(), "{e}");
    }
}

#[test]
fn more_variants_than_a_block_of_the_header_holds() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let sites = (1 << 16) + 300;
    let site = |i: usize| Site {
        contig: "7".into(),
        position: 1 + i as u64,
        id: "".into(),
        reference: "A".into(),
        alternate: "C".into(),
    };
    let mut random = Stream::new(4, Purpose::Evaluate, 0).reader(0);
    let bits = BitMatrix::from_fn(10, sites, |_, _| random.below(2) == 0).unwrap();
    let samples = Samples::diploid(["a", "b", "c", "d", "e"]).unwrap();
    let panel = Panel::new(Sites::new((0..sites).map(site).collect()).unwrap(), samples, bits).unwrap();
    write_panel(&at("a.pgen"), &panel, &WriteOptions::default()).unwrap();
    plink2(&at("b"), &["--pfile", text(&at("a")), "--make-pgen"]);
    for name in ["a.pgen", "b.pgen"] {
        assert!(read_panel(&at(name), &ReadOptions::default()).unwrap().panel == panel, "{name}");
        let region: Region = format!("7:{}-{}", (1 << 16) - 20, (1 << 16) + 20).parse().unwrap();
        let part = read_panel(&at(name), &ReadOptions { region: Some(region.clone()), ..ReadOptions::default() });
        let columns: Vec<usize> = panel.sites().range(&region).collect();
        assert!(part.unwrap().panel == panel.select_sites(&columns).unwrap(), "{name}");
    }
}

#[test]
fn of_dosages_the_hard_calls_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let vcf = "##fileformat=VCFv4.2\n##contig=<ID=1>\n##FORMAT=<ID=GT,Number=1,Type=String,Description=\"x\">\n\
               ##FORMAT=<ID=DS,Number=1,Type=Float,Description=\"x\">\n\
               ##FORMAT=<ID=HDS,Number=2,Type=Float,Description=\"x\">\n\
               #CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ta\tb\tc\n\
               1\t10\t.\tA\tC\t.\t.\t.\tGT:DS:HDS\t0|1:0.95:0.02,0.93\t1|1:1.9:0.95,0.95\t0|0:0.1:0.05,0.05\n\
               1\t20\t.\tA\tC\t.\t.\t.\tGT:DS:HDS\t1|0:1.05:0.95,0.1\t0|1:0.9:0.1,0.8\t0|0:0:0,0\n\
               1\t30\t.\tA\tC\t.\t.\t.\tGT:DS:HDS\t0|1:1:0,1\t0|0:0:0,0\t0|0:0:0,0\n";
    fs::write(at("a.vcf"), vcf).unwrap();
    let panel = read_panel(&at("a.vcf"), &ReadOptions::default()).unwrap().panel;
    for dosage in ["DS", "HDS"] {
        plink2(&at("a"), &["--vcf", text(&at("a.vcf")), &format!("dosage={dosage}"), "--make-pgen"]);
        assert!(types(&at("a.pgen")).iter().any(|t| t & 0x60 != 0));
        let read = read_panel(&at("a.pgen"), &ReadOptions::default()).unwrap();
        assert_eq!(read.panel, panel, "{dosage}");
        assert_eq!(read.notices.len(), 1);
        assert!(read.notices[0].contains("dosages"), "{:?}", read.notices);
    }
}

fn one_allele(contig: &str, ploidies: &[u8], seed: u64) -> Panel {
    let names = ["a", "b", "c", "d", "e"];
    let people = ploidies.iter().zip(names).map(|(p, n)| Sample { name: n.into(), ploidy: *p, label: None });
    let samples = Samples::new(people.collect()).unwrap();
    let site = |i: u64| Site {
        contig: contig.into(),
        position: 10_000_000 + i,
        id: "".into(),
        reference: "A".into(),
        alternate: "C".into(),
    };
    let mut random = Stream::new(seed, Purpose::Evaluate, 0).reader(0);
    let bits = BitMatrix::from_fn(samples.haplotypes(), 20, |_, _| random.below(2) == 0).unwrap();
    Panel::new(Sites::new((1..=20).map(site).collect()).unwrap(), samples, bits).unwrap()
}

#[test]
fn one_allele_on_x_y_and_mt_is_plink2s_reading() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    for (contig, ploidies) in [
        ("X", &[1, 2, 2, 1, 2][..]),
        ("chrX", &[2, 1]),
        ("23", &[1, 1, 1]),
        ("X", &[2, 2]),
        ("Y", &[1, 1, 1]),
        ("chrY", &[1]),
        ("MT", &[1, 1, 1, 1]),
        ("chrM", &[1, 1]),
    ] {
        let panel = one_allele(contig, ploidies, 5);
        write_panel(&at("a.pgen"), &panel, &WriteOptions::default()).unwrap();
        assert_eq!(read_panel(&at("a.pgen"), &ReadOptions::default()).unwrap().panel, panel, "{contig}");
        plink2(&at("b"), &["--pfile", text(&at("a")), "--export", "vcf"]);
        let back = read_panel(&at("b.vcf"), &ReadOptions::default()).unwrap().panel;
        // plink2 gives contigs their names without chr.
        assert_eq!((back.samples(), back.bits()), (panel.samples(), panel.bits()), "{contig}");
        // A man with one allele of two is refused, unless he is left out.
        plink2(&at("c"), &["--pfile", text(&at("a")), "--make-pgen"]);
        let back = read_panel(&at("c.pgen"), &ReadOptions::default()).unwrap().panel;
        assert_eq!((back.samples(), back.bits()), (panel.samples(), panel.bits()), "{contig}");
    }
    for (contig, ploidies) in [("7", &[2, 1][..]), ("Y", &[1, 2]), ("MT", &[2]), ("PAR1", &[1])] {
        let e = write_panel(&at("x.pgen"), &one_allele(contig, ploidies, 1), &WriteOptions::default()).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::Ploidy, "{contig}");
        assert!(e.place().sample.is_some() && e.place().site.is_some() && e.advice().is_some(), "{e}");
        assert!(!at("x.pgen").exists() && !at("x.pvar").exists() && !at("x.psam").exists());
    }
    // Women of a set become men.
    write_panel(&at("w.pgen"), &one_allele("X", &[2, 2], 7), &WriteOptions::default()).unwrap();
    fs::write(at("w.psam"), "#IID\tSEX\na\t2\nb\t1\n").unwrap();
    let e = read_panel(&at("w.pgen"), &ReadOptions::default()).unwrap_err();
    assert_eq!((e.kind(), e.place().sample.as_deref()), (ErrorKind::Ploidy, Some("b")), "{e}");
    let without = ReadOptions { samples: Some((vec!["b".into()], true)), ..ReadOptions::default() };
    assert_eq!(read_panel(&at("w.pgen"), &without).unwrap().panel.haplotypes(), 2);
}

#[test]
fn labels_go_out_as_a_category() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let labelled = |label: &str| {
        let panel = panel(3, 10, 1, false);
        let labels = [("p.0-x_".to_string(), label.to_string())].into();
        panel.with_samples(panel.samples().with_labels(&labels)).unwrap()
    };
    write_panel(&at("a.pgen"), &labelled("EUR"), &WriteOptions::default()).unwrap();
    assert_eq!(
        fs::read_to_string(at("a.psam")).unwrap(),
        "#IID\tSEX\tpopulation\np.0-x_\tNA\tEUR\np.1-x_\tNA\tNONE\np.2-x_\tNA\tNONE\n"
    );
    plink2(&at("b"), &["--pfile", text(&at("a")), "--keep-if", "population==EUR", "--make-pgen"]);
    assert_eq!(read_panel(&at("b.pgen"), &ReadOptions::default()).unwrap().panel.samples().len(), 1);
    for label in ["1", "North Sea", "na", "-9", ""] {
        let e = write_panel(&at("x.pgen"), &labelled(label), &WriteOptions::default()).unwrap_err();
        assert_eq!((e.kind(), e.place().sample.is_some()), (ErrorKind::InvalidArgument, true), "{label}: {e}");
    }
}

#[test]
fn what_a_pgen_does_not_hold_is_not_written() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("x.pgen");
    let whole = panel(5, 10, 1, false);
    let half = BitMatrix::from_fn(10, 10, |h, s| (h, s) == (6, 4)).unwrap();
    let bits = BitMatrix::zeros(10, 10).unwrap();
    let half =
        Panel::with_planes(whole.sites().clone(), whole.samples().clone(), bits.clone(), Some(half), None).unwrap();
    let e = write_panel(&target, &half, &WriteOptions::default()).unwrap_err();
    assert_eq!((e.kind(), e.place().sample.as_deref()), (ErrorKind::Missing, Some("p.3-x_")));
    assert_eq!(e.place().site.as_deref(), Some("15:15"));
    for name in ["0", "a b", "#a", ""] {
        let samples = Samples::diploid([name, "p", "q", "r", "s"]).unwrap();
        let panel = Panel::new(whole.sites().clone(), samples, bits.clone()).unwrap();
        let e = write_panel(&target, &panel, &WriteOptions::default()).unwrap_err();
        assert_eq!((e.kind(), e.place().sample.as_deref()), (ErrorKind::InvalidArgument, Some(name)));
    }
    for (contig, position, id, alternate) in
        [("#1", 1, "", "C"), ("1", 0, "", "C"), ("1", 1 << 31, "", "C"), ("1", 1, "a b", "C"), ("1", 1, "", "C,G")]
    {
        let site =
            Site { contig: contig.into(), position, id: id.into(), reference: "A".into(), alternate: alternate.into() };
        let bits = BitMatrix::zeros(10, 1).unwrap();
        let panel = Panel::new(Sites::new(vec![site]).unwrap(), whole.samples().clone(), bits).unwrap();
        let e = write_panel(&target, &panel, &WriteOptions::default()).unwrap_err();
        assert_eq!((e.kind(), e.place().site.is_some()), (ErrorKind::InvalidArgument, true), "{e}");
    }
    let options = WriteOptions { format: Some(Format::Pgen), ..WriteOptions::default() };
    assert_eq!(write_panel(Path::new("-"), &whole, &options).unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0, "something was left behind");
}

/// A small set of plink2's, whose records are of many kinds.
fn small_set(dir: &Path) -> PathBuf {
    fs::write(dir.join("a.vcf"), vcf_of_every_kind(40, 16, 8, true, true)).unwrap();
    plink2(&dir.join("a"), &["--vcf", text(&dir.join("a.vcf")), "--make-pgen"]);
    dir.join("a.pgen")
}

#[test]
fn a_pgen_cut_anywhere_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let pgen = small_set(dir.path());
    let whole = fs::read(&pgen).unwrap();
    assert!(whole.len() < 2000);
    read_panel(&pgen, &keeping()).unwrap();
    for n in 0..whole.len() {
        fs::write(&pgen, &whole[..n]).unwrap();
        let e = read_panel(&pgen, &keeping()).unwrap_err();
        assert!(matches!(e.kind(), ErrorKind::Truncated | ErrorKind::UnknownFormat), "{n}: {e}");
        assert_eq!(e.place().file.as_ref(), Some(&pgen), "{n}: {e}");
    }
    fs::write(&pgen, &whole).unwrap();
    for name in ["a.pvar", "a.psam"] {
        let path = dir.path().join(name);
        let text = fs::read(&path).unwrap();
        for n in 0..text.len() {
            fs::write(&path, &text[..n]).unwrap();
            // A text that ends within its last line may look whole.
            let whole = text[n..].iter().filter(|b| **b == b'\n').count() <= 1;
            match read_panel(&pgen, &keeping()) {
                Ok(_) => assert!(whole, "{name} cut at {n}"),
                Err(e) => assert!(e.place().file.is_some() && !matches!(e.kind(), ErrorKind::Internal), "{n}: {e}"),
            }
        }
        fs::write(&path, &text).unwrap();
    }
}

#[test]
fn no_flipped_bit_panics() {
    let dir = tempfile::tempdir().unwrap();
    let pgen = small_set(dir.path());
    let people = ReadOptions { samples: Some((vec!["s3".into(), "s39".into()], false)), ..keeping() };
    let region = ReadOptions { region: Some("16".parse().unwrap()), ..ReadOptions::default() };
    for name in ["a.pgen", "a.pvar", "a.psam"] {
        let path = dir.path().join(name);
        let whole = fs::read(&path).unwrap();
        for bit in 0..8 * whole.len() {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            fs::write(&path, &bytes).unwrap();
            for options in [&keeping(), &people, &region] {
                if let Err(e) = read_panel(&pgen, options) {
                    assert!(e.place().file.is_some() && e.kind() != ErrorKind::Internal, "{name}, bit {bit}: {e}");
                }
            }
        }
        fs::write(&path, &whole).unwrap();
    }
}

/// A set by hand: header and records, sites of `alternates`, people.
fn by_hand(dir: &Path, pgen: &[u8], alternates: &[&str], people: usize) -> PathBuf {
    let sites: String = alternates.iter().enumerate().map(|(i, a)| format!("7\t{}\t.\tA\t{a}\n", i + 10)).collect();
    fs::write(dir.join("h.pvar"), format!("#CHROM\tPOS\tID\tREF\tALT\n{sites}")).unwrap();
    let people: String = (0..people).map(|i| format!("p{i}\n")).collect();
    fs::write(dir.join("h.psam"), format!("#IID\n{people}")).unwrap();
    let path = dir.join("h.pgen");
    fs::write(&path, pgen).unwrap();
    path
}

/// Magic number, mode, variants, people and the form of the header.
fn head(mode: u8, variants: u32, people: u32, form: u8) -> Vec<u8> {
    [&[0x6c, 0x1b, mode][..], &variants.to_le_bytes(), &people.to_le_bytes(), &[form]].concat()
}

/// A file of mode 0x10 with eight bits a type and one byte a length.
fn variable(people: u32, records: &[(u8, &[u8])]) -> Vec<u8> {
    let n = records.len();
    let mut bytes = head(0x10, n as u32, people, 0x44);
    bytes.extend_from_slice(&(20 + 2 * n as u64).to_le_bytes());
    bytes.extend(records.iter().map(|r| r.0));
    bytes.extend(records.iter().map(|r| r.1.len() as u8));
    records.iter().for_each(|r| bytes.extend_from_slice(r.1));
    bytes
}

fn rows(panel: &Panel) -> String {
    let row = |h| (0..panel.sites().len()).map(|c| if panel.bits().get(h, c) { '1' } else { '0' }).collect::<String>();
    (0..panel.haplotypes()).map(row).collect::<Vec<_>>().join(" ")
}

#[test]
fn every_layout_of_the_header_is_read() {
    let dir = tempfile::tempdir().unwrap();
    // Three people: 0/0, 1/1, 0/0 and 1/1, 0/0, 1/1.
    let (first, second) = (0b00_10_00, 0b10_00_10);
    let want = "01 01 10 10 01 01";
    let sites = ["C", "C"];
    let mut files = vec![
        ("fixed", [head(2, 2, 3, 0x40), vec![first, second]].concat()),
        ("fixed with flags", [head(2, 2, 3, 0xc0), vec![1, first, second]].concat()),
    ];
    for width in 1..=4u8 {
        let length: Vec<u8> = [1, 0, 0, 0][..usize::from(width)].repeat(2);
        let start = |types: u64| (20 + types + 2 * u64::from(width)).to_le_bytes().to_vec();
        let records = vec![first, second];
        files.push((
            "4 bits",
            [head(16, 2, 3, 0x40 + width - 1), start(1), vec![0], length.clone(), records.clone()].concat(),
        ));
        files.push((
            "8 bits",
            [head(16, 2, 3, 0x43 + width), start(2), vec![0, 0], length.clone(), records.clone()].concat(),
        ));
        files.push((
            "alleles",
            [head(16, 2, 3, 0x53 + width), start(4), vec![0, 0], length.clone(), vec![2, 2], records.clone()].concat(),
        ));
        files.push(("flags", [head(16, 2, 3, 0xc3 + width), start(3), vec![0, 0], length, vec![2], records].concat()));
    }
    for form in [8, 9] {
        files.push((
            "no types",
            [head(16, 2, 3, 0x40 + form), 21u64.to_le_bytes().to_vec(), vec![0, first, second]].concat(),
        ));
    }
    for (what, bytes) in files {
        let path = by_hand(dir.path(), &bytes, &sites, 3);
        let read =
            read_panel(&path, &ReadOptions::default()).unwrap_or_else(|e| panic!("{what}, {:#x}: {e}", bytes[11]));
        assert_eq!(rows(&read.panel), want, "{what}, {:#x}", bytes[11]);
    }
    // One person, alternates 2 and 2 unphased: the length tells that further alleles follow.
    let bytes = [head(16, 2, 1, 0x48), 21u64.to_le_bytes().to_vec(), vec![0b11_00, 0, 0b10, 0x0f, 1, 1]].concat();
    let read = read_panel(&by_hand(dir.path(), &bytes, &["C", "C,G"], 1), &ReadOptions::default()).unwrap();
    assert_eq!(rows(&read.panel), "001 001");
}

#[test]
fn sets_that_contradict_themselves_are_refused_with_their_place() {
    let dir = tempfile::tempdir().unwrap();
    type Case<'a> = (&'a str, ErrorKind, Vec<u8>, Option<u64>);
    let one = |kind: u8, record: &[u8]| variable(3, &[(0, &[0]), (kind, record)]);
    let long = |people, record: &[u8]| variable(people, &[(0, &[0; 25]), (4, record)]);
    let cases: Vec<Case> = vec![
        ("too many variants", ErrorKind::Truncated, head(16, u32::MAX, 3, 0x44), None),
        ("too many variants", ErrorKind::Truncated, head(2, u32::MAX, 3, 0x40), None),
        (
            "too many people",
            ErrorKind::Malformed,
            {
                let mut b = one(0, &[0]);
                b[10] = 255;
                b
            },
            None,
        ),
        ("too many people", ErrorKind::Truncated, head(2, 2, u32::MAX, 0x40), None),
        ("form", ErrorKind::Malformed, head(16, 2, 3, 0x4a), None),
        ("form", ErrorKind::Malformed, [head(2, 2, 3, 0x44), vec![0, 0]].concat(), None),
        ("variants", ErrorKind::Malformed, variable(3, &[(0, &[0])]), None),
        ("variants", ErrorKind::Malformed, variable(3, &[(0, &[0]), (0, &[0]), (0, &[0])]), None),
        (
            "start",
            ErrorKind::Malformed,
            {
                let mut b = one(0, &[0]);
                b[12] = 21;
                b
            },
            None,
        ),
        (
            "start",
            ErrorKind::Truncated,
            {
                let mut b = one(0, &[0]);
                b[19] = 255;
                b
            },
            None,
        ),
        ("builds on nothing", ErrorKind::Malformed, variable(3, &[(2, &[0]), (0, &[0])]), Some(1)),
        ("type 5", ErrorKind::Malformed, one(5, &[0]), Some(2)),
        ("short", ErrorKind::Malformed, one(0, &[]), Some(2)),
        ("long", ErrorKind::Malformed, one(0, &[0, 0]), Some(2)),
        ("pair of genotypes", ErrorKind::Malformed, one(1, &[4, 0, 0]), Some(2)),
        ("no varint", ErrorKind::Malformed, one(4, &[]), Some(2)),
        ("varint", ErrorKind::Malformed, one(4, &[255, 255, 255, 255, 255, 1]), Some(2)),
        ("varint", ErrorKind::Malformed, one(4, &[255, 255, 255, 255, 127]), Some(2)),
        ("list too long", ErrorKind::Malformed, one(4, &[4, 0, 0, 1, 1, 1]), Some(2)),
        ("person past the last", ErrorKind::Malformed, one(4, &[1, 3, 1]), Some(2)),
        ("person past the last", ErrorKind::Malformed, one(4, &[2, 0, 5, 3]), Some(2)),
        ("person twice", ErrorKind::Malformed, one(4, &[2, 0, 5, 0]), Some(2)),
        ("groups", ErrorKind::Malformed, long(100, &[&[65, 0, 70, 1][..], &[0; 17], &[1; 63]].concat()), Some(2)),
        ("groups", ErrorKind::Malformed, long(100, &[&[65, 0, 9, 0][..], &[0; 17], &[1; 63]].concat()), Some(2)),
        ("further alleles", ErrorKind::Malformed, one(8, &[0, 255]), Some(2)),
        ("phase", ErrorKind::Malformed, one(16, &[1]), Some(2)),
        ("phase", ErrorKind::Malformed, one(16, &[0x15, 0x0f]), Some(2)),
    ];
    for (what, kind, bytes, record) in cases {
        let path = by_hand(dir.path(), &bytes, &["C", "C"], 3.max(usize::from(bytes[7]) % 101));
        let e = read_panel(&path, &keeping()).expect_err(what);
        assert_eq!((e.kind(), e.place().record), (kind, record), "{what}: {e}");
        assert!(e.place().file.is_some() && e.advice().is_some(), "{what}: {e}");
    }
    // Three alternates: alleles that are not there, out of order, of a form that is not known, for the wrong person.
    for record in [&[0b10, 0x0f, 1, 0b1111][..], &[0b10, 0x0f, 1, 0b0001], &[0b01, 0x22, 0], &[0b01, 0xf1, 1, 1, 0]] {
        let bytes = variable(3, &[(8, record)]);
        let e = read_panel(&by_hand(dir.path(), &bytes, &["C,G,T"], 3), &keeping()).unwrap_err();
        assert_eq!((e.kind(), e.place().record), (ErrorKind::Malformed, Some(1)), "{record:?}: {e}");
    }
    let alleles = [head(16, 1, 3, 0x54), 23u64.to_le_bytes().to_vec(), vec![0, 1, 3, 0]].concat();
    assert_eq!(
        read_panel(&by_hand(dir.path(), &alleles, &["C"], 3), &keeping()).unwrap_err().kind(),
        ErrorKind::Malformed
    );
}

#[test]
fn other_modes_and_missing_companions_are_named() {
    let dir = tempfile::tempdir().unwrap();
    for mode in [0, 1, 3, 4, 5, 0x11, 0x20, 0x21, 0xff] {
        let path = by_hand(dir.path(), &head(mode, 1, 1, 0x40), &["C"], 1);
        let e = read_panel(&path, &keeping()).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::UnknownFormat, "{mode}: {e}");
        assert!(e.to_string().contains("plink2 --"), "{mode}: {e}");
    }
    let good = head(2, 1, 1, 0x40).into_iter().chain([0]).collect::<Vec<u8>>();
    let path = by_hand(dir.path(), &good, &["C"], 1);
    read_panel(&path, &keeping()).unwrap();
    for extension in ["pvar", "psam"] {
        let (file, packed) = (path.with_extension(extension), path.with_extension(format!("{extension}.zst")));
        let text = fs::read(&file).unwrap();
        fs::rename(&file, &packed).unwrap();
        let e = read_panel(&path, &keeping()).unwrap_err();
        assert_eq!((e.kind(), e.place().file.as_ref()), (ErrorKind::UnknownFormat, Some(&packed)), "{e}");
        assert!(e.advice().is_some_and(|a| a.contains("plink2 --pfile X vzs --make-pgen")), "{e}");
        fs::remove_file(&packed).unwrap();
        let e = read_panel(&path, &keeping()).unwrap_err();
        assert_eq!((e.kind(), e.place().file.as_ref()), (ErrorKind::Io, Some(&file)), "{e}");
        fs::write(&file, b"\x28\xb5\x2f\xfd\x00").unwrap();
        assert_eq!(read_panel(&path, &keeping()).unwrap_err().kind(), ErrorKind::UnknownFormat);
        let header: &[u8] = if extension == "pvar" { b"#CHROM\tPOS\tID\tREF\tALT\n" } else { b"#FID\tIID\tSEX\n" };
        let lines: [&[u8]; 4] = [b"7\n", b"7\tx\n", b"7\t\xff\t.\tA\tC\n", b"7\tx\t.\tA"];
        let mut bad: Vec<Vec<u8>> = lines.iter().map(|line| [header, line].concat()).collect();
        bad.extend(
            [&b"#what\tis\tthis\n"[..], b"#CHROM\tPOS\n", b"#FID\tSEX\n", b"#\xff\n", b"7\n"].map(<[u8]>::to_vec),
        );
        for bad in bad {
            if extension == "psam" && bad.ends_with(b"A") {
                continue;
            }
            fs::write(&file, &bad).unwrap();
            let e = read_panel(&path, &keeping()).unwrap_err();
            let shown = String::from_utf8_lossy(&bad);
            assert_eq!((e.kind(), e.place().file.as_ref()), (ErrorKind::Malformed, Some(&file)), "{shown}: {e}");
        }
        fs::write(&file, "").unwrap();
        assert_eq!(read_panel(&path, &keeping()).unwrap_err().kind(), ErrorKind::Truncated);
        fs::write(&file, text).unwrap();
    }
    read_panel(&path, &keeping()).unwrap();
    // The companions themselves are no panels.
    for extension in ["pvar", "psam"] {
        let e = read_panel(&path.with_extension(extension), &keeping()).unwrap_err();
        assert_eq!(e.kind(), ErrorKind::UnknownFormat);
        assert!(e.what().contains("name the .pgen"), "{e}");
    }
}

#[test]
fn a_pipe_is_refused_and_not_waited_for() {
    let dir = tempfile::tempdir().unwrap();
    let pipe = dir.path().join("a.pgen");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let writer = std::thread::spawn({
        let pipe = pipe.clone();
        move || fs::write(pipe, head(2, 1, 1, 0x40).into_iter().chain([0]).collect::<Vec<u8>>())
    });
    let e = read_panel(&pipe, &keeping()).unwrap_err();
    assert_eq!((e.kind(), e.place().file.as_ref()), (ErrorKind::Io, Some(&pipe)), "{e}");
    // The writer may find the pipe closed.
    let _ = writer.join().unwrap();
}

#[test]
fn companions_of_plink_1_and_of_other_columns_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let file = head(2, 1, 2, 0x40).into_iter().chain([0b10_00]).collect::<Vec<u8>>();
    let path = by_hand(dir.path(), &file, &["C"], 2);
    let want = read_panel(&path, &ReadOptions::default()).unwrap().panel;
    for text in ["7 . 0 10 C A\n", "7\t.\t10\tC\tA\n", "##x\n#CHROM  ID ALT REF CM POS\n\n7 . C A 0.5 10\n"] {
        fs::write(path.with_extension("pvar"), text).unwrap();
        assert_eq!(read_panel(&path, &ReadOptions::default()).unwrap().panel, want, "{text}");
    }
    for text in ["f p0 0 0 1 -9\nf p1 0 0 2 -9\n", "#FID\tIID\tSEX\nf\tp0\t1\nf\tp1\t2", "#x\n#IID pop\np0 A\n\np1 B\n"]
    {
        fs::write(path.with_extension("psam"), text).unwrap();
        assert_eq!(read_panel(&path, &ReadOptions::default()).unwrap().panel, want, "{text}");
    }
    fs::write(path.with_extension("psam"), "#FID IID\na p\nb p\n").unwrap();
    assert_eq!(read_panel(&path, &ReadOptions::default()).unwrap_err().kind(), ErrorKind::Duplicate);
}

#[test]
fn a_set_replaces_an_older_one_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a.pgen");
    let (old, new) = (panel(5, 30, 1, false), panel(7, 20, 2, false));
    write_panel(&path, &old, &WriteOptions::default()).unwrap();
    // What cannot be written leaves the older set as it was.
    let bad = one_allele("7", &[1, 2], 3);
    write_panel(&path, &bad, &WriteOptions::default()).unwrap_err();
    assert_eq!(read_panel(&path, &ReadOptions::default()).unwrap().panel, old);
    write_panel(&path, &new, &WriteOptions::default()).unwrap();
    assert_eq!(read_panel(&path, &ReadOptions::default()).unwrap().panel, new);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 3);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn panels_come_back_the_same(people in 1usize..150, sites in 1usize..60, seed: u64, holes: bool) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.pgen");
        let panel = panel(people, sites, seed, holes);
        write_panel(&path, &panel, &WriteOptions::default()).unwrap();
        prop_assert_eq!(read_panel(&path, &keeping()).unwrap().panel, in_order(&panel));
    }

    #[test]
    fn any_record_is_read_or_refused(
        kind in any::<u8>(),
        base in prop::collection::vec(any::<u8>(), 3),
        record in prop::collection::vec(any::<u8>(), 0..40),
        alternates in prop::sample::select(vec!["C", "C,G", "C,G,T", "C,G,T,AC,AG,AT"]),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let bytes = variable(11, &[(0, &base), (kind, &record)]);
        let path = by_hand(dir.path(), &bytes, &["C", alternates], 11);
        if let Err(e) = read_panel(&path, &keeping()) {
            prop_assert!(e.place().file.is_some() && e.kind() != ErrorKind::Internal, "{}", e);
        }
    }
}
