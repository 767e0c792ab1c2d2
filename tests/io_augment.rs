//! Augmenting: real records pass on, artificial people are appended, and what does not match is counted.

use haploom::ErrorKind;
use haploom::io::{
    AugmentOptions, AugmentReport, AugmentWith, Format, MissingRule, Outside, ReadOptions, augment, read_panel,
};
use haploom::panel::bits::BitMatrix;
use haploom::panel::samples::{Sample, Samples};
use haploom::panel::sites::{Site, Sites};
use haploom::progress::{Cancel, Event, Progress};
use std::path::{Path, PathBuf};
use std::process::Command;

const REAL: &str = "##fileformat=VCFv4.2
##FILTER=<ID=PASS,Description=\"All filters passed\">
##FILTER=<ID=low,Description=\"x\">
##contig=<ID=15,length=1000>
##INFO=<ID=AC,Number=A,Type=Integer,Description=\"x\">
##INFO=<ID=DP,Number=1,Type=Integer,Description=\"x\">
##INFO=<ID=END,Number=1,Type=Integer,Description=\"x\">
##INFO=<ID=VT,Number=.,Type=String,Description=\"x\">
##INFO=<ID=DB,Number=0,Type=Flag,Description=\"x\">
##FORMAT=<ID=GT,Number=1,Type=String,Description=\"x\">
##FORMAT=<ID=DS,Number=A,Type=Float,Description=\"x\">
##FORMAT=<ID=AD,Number=R,Type=Integer,Description=\"x\">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tr0\tr1
15\t10\trs1\tA\tC\t12.5\tPASS\tAC=1;DP=9;DB;VT=SNP,X\tGT:DS:AD\t0|1:0.5:3,400\t0|0:.:1
15\t20\t.\tA\tC\t.\t.\t.\tGT\t0|0\t0/1
15\t30\t.\tC\tA\t.\tlow\t.\tGT\t0|0\t0|1
15\t40\t.\tA\tG,T\t.\t.\tAC=1,1\tGT\t2|0\t0|1
15\t50\t.\tA\tT\t.\t.\t.\tGT\t.|0\t0|1
15\t60\t.\tA\t<DEL>\t.\t.\tEND=70\tGT\t1|1\t0|1
15\t70\t.\tA\tC\t.\t.\t.\tDS\t0.5\t1
";

fn sites(list: &[(&str, u64, &str, &str)]) -> Sites {
    let site = |(contig, position, reference, alternate): &(&str, u64, &str, &str)| Site {
        contig: (*contig).into(),
        position: *position,
        id: "".into(),
        reference: (*reference).into(),
        alternate: (*alternate).into(),
    };
    Sites::new(list.iter().map(site).collect()).unwrap()
}

fn model() -> Sites {
    sites(&[
        ("15", 10, "A", "C"),
        ("15", 30, "A", "C"),
        ("15", 50, "A", "C"),
        ("15", 60, "A", "<DEL>"),
        ("15", 65, "A", "C"),
    ])
}

fn run(input: &Path, output: &Path, sites: &Sites, options: &AugmentOptions) -> haploom::Result<AugmentReport> {
    let bits = BitMatrix::from_fn(sites.len(), 4, |s, h| h < s + 1).unwrap();
    let samples = Samples::diploid(["HAPLOOM_0", "HAPLOOM_1"]).unwrap();
    let with = AugmentWith { sites, bits: &bits, samples: &samples };
    augment(input, output, &with, options, &mut Progress::none())
}

fn bcftools(arguments: &[&str]) -> String {
    let out = Command::new("bcftools").args(arguments).output().expect("bcftools is installed");
    assert!(out.status.success(), "bcftools {arguments:?}: {}", String::from_utf8_lossy(&out.stderr));
    assert!(out.stderr.is_empty(), "bcftools {arguments:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

fn lines(path: &Path) -> Vec<String> {
    bcftools(&["view", "-H", path.to_str().unwrap()]).lines().map(str::to_string).collect()
}

/// The same records as VCF, VCF.gz and BCF.
fn inputs(dir: &Path, text: &str) -> Vec<PathBuf> {
    let vcf = dir.join("real.vcf");
    std::fs::write(&vcf, text).unwrap();
    let mut out = vec![vcf.clone()];
    for (kind, name) in [("z", "real.vcf.gz"), ("b", "real.bcf")] {
        let path = dir.join(name);
        bcftools(&["view", "-O", kind, "-o", path.to_str().unwrap(), vcf.to_str().unwrap()]);
        out.push(path);
    }
    out
}

#[test]
fn records_pass_on_and_artificial_people_are_appended_in_every_format() {
    let dir = tempfile::tempdir().unwrap();
    for input in inputs(dir.path(), REAL) {
        for name in ["out.vcf", "out.vcf.gz", "out.bcf"] {
            let output = dir.path().join(name);
            let options =
                AugmentOptions { header_lines: vec![("haploom_seed".into(), "7".into())], ..AugmentOptions::default() };
            let report = run(&input, &output, &model(), &options).unwrap();
            let what = format!("{} to {name}", input.display());
            assert_eq!((report.records, report.written, report.people), (7, 2, (2, 2)), "{what}");
            assert_eq!(report.outside.count, 1, "{what}");
            assert_eq!(report.swapped.first.as_deref(), Some("15:30:C:A"), "{what}");
            assert_eq!(report.other_alleles.first.as_deref(), Some("15:50:A:T"), "{what}");
            assert_eq!(report.multiallelic.first.as_deref(), Some("15:40:A:G,T"), "{what}");
            assert_eq!(report.without_genotypes.count, 1, "{what}");
            assert_eq!((report.absent.count, report.absent.first.as_deref()), (3, Some("15:30:A:C")), "{what}");
            assert_eq!(report.notices(Outside::Drop).len(), 6);
            assert_eq!(
                lines(&output),
                [
                    "15\t10\trs1\tA\tC\t12.5\tPASS\tAC=2;AN=8;AF=0.25;DB;VT=SNP,X\tGT:DS:AD\t0|1:0.5:3,400\t0|0:.:1\t1|0:.:.\t0|0:.:.",
                    "15\t60\t.\tA\t<DEL>\t.\t.\tAC=7;AN=8;AF=0.875;END=70\tGT\t1|1\t0|1\t1|1\t1|1",
                ],
                "{what}"
            );
            let header = bcftools(&["view", "-h", output.to_str().unwrap()]);
            assert!(header.contains("##haploom_seed=7\n") && header.contains("##INFO=<ID=AF,"), "{header}");
        }
        assert!(dir.path().join("out.vcf.gz.tbi").exists() && dir.path().join("out.bcf.csi").exists());
    }
}

#[test]
fn records_outside_are_missing_or_refused_on_request() {
    let dir = tempfile::tempdir().unwrap();
    for input in inputs(dir.path(), REAL) {
        for name in ["out.vcf", "out.bcf"] {
            let output = dir.path().join(name);
            let options = AugmentOptions { outside: Outside::Missing, ..AugmentOptions::default() };
            let report = run(&input, &output, &model(), &options).unwrap();
            assert_eq!(report.written, 7);
            let lines = lines(&output);
            assert_eq!(lines[1], "15\t20\t.\tA\tC\t.\t.\tAC=1;AN=4;AF=0.25\tGT\t0|0\t0/1\t.|.\t.|.");
            assert_eq!(lines[3], "15\t40\t.\tA\tG,T\t.\t.\tAC=1,1;AN=4;AF=0.25,0.25\tGT\t2|0\t0|1\t.|.\t.|.");
            assert_eq!(lines[4], "15\t50\t.\tA\tT\t.\t.\tAC=1;AN=3;AF=0.333333\tGT\t.|0\t0|1\t.|.\t.|.");
            assert!(lines[6].ends_with("\tDS\t0.5\t1\t.\t."), "{}", lines[6]);
            std::fs::write(&output, "before").unwrap();
            let refuse = AugmentOptions { outside: Outside::Refuse, ..AugmentOptions::default() };
            let e = run(&input, &output, &model(), &refuse).unwrap_err();
            assert_eq!((e.kind(), e.place().site.as_deref()), (ErrorKind::NoOverlap, Some("15:20")), "{e}");
            assert_eq!(std::fs::read_to_string(&output).unwrap(), "before");
        }
    }
}

#[test]
fn clashes_and_mismatches_are_refused_and_named() {
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join("real.vcf");
    let output = dir.path().join("out.bcf");
    let refusal = |text: &str, sites: &Sites| {
        std::fs::write(&input, text).unwrap();
        let e = run(&input, &output, sites, &AugmentOptions::default()).unwrap_err();
        assert!(!output.exists());
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1, "something is left behind");
        e
    };
    let e = refusal(&REAL.replace("\tr1", "\tHAPLOOM_1"), &model());
    assert_eq!((e.kind(), e.place().sample.as_deref()), (ErrorKind::Duplicate, Some("HAPLOOM_1")), "{e}");
    let e = refusal(REAL, &sites(&[("chr15", 10, "A", "C")]));
    assert_eq!(e.kind(), ErrorKind::ContigMismatch, "{e}");
    let e = refusal(&REAL.replace("##contig=<ID=15,length=1000>\n", ""), &sites(&[("chr15", 10, "A", "C")]));
    assert_eq!(e.kind(), ErrorKind::ContigMismatch, "{e}");
    let e = refusal(REAL, &sites(&[("15", 10, "C", "A")]));
    assert_eq!(e.kind(), ErrorKind::AlleleMismatch, "{e}");
    let e = refusal(REAL, &sites(&[("15", 11, "C", "A")]));
    assert_eq!(e.kind(), ErrorKind::NoOverlap, "{e}");
    let first = REAL.lines().find(|l| l.starts_with("15\t10")).unwrap();
    let e = refusal(&REAL.replace(first, &format!("{first}\n{first}")), &model());
    assert_eq!((e.kind(), e.place().record), (ErrorKind::Duplicate, Some(15)), "{e}");
    let e = refusal(&REAL.replace("15\t20", "15\t9"), &model());
    assert_eq!(e.kind(), ErrorKind::Unsorted, "{e}");
    let e = refusal(&REAL.replace("##FORMAT=<ID=DS,Number=A,Type=Float,Description=\"x\">\n", ""), &model());
    assert_eq!(e.kind(), ErrorKind::Malformed, "{e}");
    let e = refusal(&REAL.replace("3,400", "3,x"), &model());
    assert_eq!(e.kind(), ErrorKind::Malformed, "{e}");
    assert!(e.to_string().contains("AD"), "{e}");
    let e = refusal(REAL.strip_suffix("\t1\n").unwrap(), &sites(&[("15", 70, "A", "C"), ("15", 10, "A", "C")][1..]));
    assert_eq!(e.kind(), ErrorKind::Truncated, "{e}");
}

#[test]
fn regions_go_through_the_index_or_without_one() {
    let dir = tempfile::tempdir().unwrap();
    let mut files = inputs(dir.path(), REAL);
    for (i, extra) in [(1, "-t"), (2, "-c")] {
        let indexed = dir.path().join(format!("indexed{i}"));
        std::fs::copy(&files[i], &indexed).unwrap();
        bcftools(&["index", extra, indexed.to_str().unwrap()]);
        files.push(indexed);
    }
    for input in files {
        let output = dir.path().join("out.vcf");
        let options =
            |region: &str| AugmentOptions { region: Some(region.parse().unwrap()), ..AugmentOptions::default() };
        let report = run(&input, &output, &model(), &options("15:55-64")).unwrap();
        assert_eq!((report.records, report.written, report.absent.count), (1, 1, 0), "{}", input.display());
        let kind = |region: &str| run(&input, &output, &model(), &options(region)).unwrap_err().kind();
        assert_eq!((kind("15:71-"), kind("chr15")), (ErrorKind::Empty, ErrorKind::Region), "{}", input.display());
    }
}

#[test]
fn augmenting_stops_on_request_and_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let input = dir.path().join("real.vcf");
    let mut text = String::from("##fileformat=VCFv4.2\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tr0\n");
    (1..=1000).for_each(|p| text.push_str(&format!("15\t{p}\t.\tA\tC\t.\t.\t.\tGT\t0|1\n")));
    std::fs::write(&input, text).unwrap();
    let sites = sites(&[("15", 10, "A", "C")]);
    let bits = BitMatrix::zeros(1, 2).unwrap();
    let samples = Samples::diploid(["x"]).unwrap();
    let cancel = Cancel::new();
    let stop = cancel.clone();
    let mut report = move |event: &Event| {
        if matches!(event, Event::Step { .. }) {
            stop.cancel();
        }
    };
    let with = AugmentWith { sites: &sites, bits: &bits, samples: &samples };
    let output = dir.path().join("out.vcf.gz");
    let e = augment(&input, &output, &with, &AugmentOptions::default(), &mut Progress::new(&mut report, cancel));
    assert_eq!(e.unwrap_err().kind(), ErrorKind::Cancelled);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn an_augmented_panel_is_the_stack_of_the_real_and_the_artificial_one() {
    let Some(folder) = std::env::var_os("HAPLOOM_DATA") else {
        println!("skipped: HAPLOOM_DATA is not set");
        return;
    };
    let input = Path::new(&folder).join("1000G_p3_chr15_10K_b37.vcf.gz");
    let dir = tempfile::tempdir().unwrap();
    let region: haploom::panel::region::Region = "15:28000000-28100000".parse().unwrap();
    let options = ReadOptions { region: Some(region.clone()), ..ReadOptions::default() };
    let real = read_panel(&input, &options).unwrap().panel;
    let stream = haploom::rng::Stream::new(1, haploom::rng::Purpose::Evaluate, 0);
    let people: Vec<Sample> =
        (0..40).map(|i| Sample { name: format!("A{i}"), ploidy: 2 - u8::from(i % 7 == 0), label: None }).collect();
    let samples = Samples::new(people).unwrap();
    let (m, h) = (real.sites().len(), samples.haplotypes());
    let bits = BitMatrix::from_fn(m, h, |s, c| stream.word((s * h + c) as u64) & 1 == 1).unwrap();
    let with = AugmentWith { sites: real.sites(), bits: &bits, samples: &samples };
    for (format, threads) in [(Format::Vcf, 1), (Format::VcfGz, 2), (Format::Bcf, 2)] {
        let output = dir.path().join("out");
        let options =
            AugmentOptions { region: Some(region.clone()), threads, format: Some(format), ..AugmentOptions::default() };
        let report = augment(&input, &output, &with, &options, &mut Progress::none()).unwrap();
        assert_eq!(report.written, m as u64);
        let both =
            read_panel(&output, &ReadOptions { missing: MissingRule::Refuse, ..ReadOptions::default() }).unwrap().panel;
        assert_eq!(both.sites(), real.sites());
        assert_eq!(both.bits(), &real.bits().stack(&bits.transpose().unwrap()).unwrap());
        // What bcftools counts from the genotypes is what INFO says.
        let path = output.to_str().unwrap();
        let counted = bcftools(&["query", "-f", "%AC %AN\n", path]);
        let again = Command::new("sh")
            .args(["-c", "bcftools +fill-tags \"$0\" -- -t AC,AN | bcftools query -f '%AC %AN\n'", path])
            .output()
            .unwrap();
        assert_eq!(counted, String::from_utf8(again.stdout).unwrap());
    }
}
