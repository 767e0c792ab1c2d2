//! `convert` and `info`: panels in and out, and what is refused.

use crate::{Folder, bcftools, demo_panel, haploom, haploom_with_input, small_vcf, vcf};
use std::process::{Command, Stdio};

/// Positions, alleles and genotypes, as bcftools reads them.
fn genotypes(path: &str) -> String {
    bcftools(&["query", "-f", "%CHROM %POS %ID %REF %ALT[ %GT]\n", path])
}

#[test]
fn bcftools_reads_what_convert_writes() {
    let folder = Folder::new();
    let source = folder.file("small.vcf", small_vcf());
    for name in ["a.vcf", "a.vcf.gz", "a.bcf"] {
        let target = folder.path(name);
        haploom(["convert", &source, &target]).ok();
        assert_eq!(genotypes(&target), genotypes(&source), "{name}");
    }
    assert_eq!(bcftools(&["view", "-H", "-r", "1:150-350", &folder.path("a.bcf")]).lines().count(), 2);
    assert_eq!(bcftools(&["view", "-H", "-r", "1:150-350", &folder.path("a.vcf.gz")]).lines().count(), 2);
}

#[test]
fn every_format_comes_back_the_same() {
    let folder = Folder::new();
    let source = demo_panel().to_str().expect("text").to_string();
    for name in ["a.vcf.gz", "a.bcf", "a.pgen", "a.hap.gz", "a.hapt.gz", "a.hap", "a.hapt", "a.vcf"] {
        let (there, back) = (folder.path(name), folder.path("back.vcf"));
        haploom(["convert", &source, &there]).ok();
        haploom(["convert", &there, &back]).ok();
        let without_ids = |path: &str| bcftools(&["query", "-f", "%CHROM %POS %REF %ALT[ %GT]\n", path]);
        // Not assert_eq: megabytes.
        assert!(without_ids(&back) == without_ids(&source), "{name}");
    }
}

#[test]
fn convert_and_plink2_take_each_others_files() {
    let folder = Folder::new();
    let source = demo_panel().to_str().expect("text").to_string();
    let plink2 = |args: &[&str]| {
        let output = Command::new("plink2").args(args).output().expect("plink2 is installed (make test installs it)");
        assert!(output.status.success(), "plink2 {args:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    haploom(["convert", &source, &folder.path("ours.pgen")]).ok();
    plink2(&["--pfile", &folder.path("ours"), "--export", "vcf", "--out", &folder.path("theirs")]);
    plink2(&["--bcf", &source, "--make-pgen", "--out", &folder.path("theirs")]);
    haploom(["convert", &folder.path("theirs.pgen"), &folder.path("ours.vcf")]).ok();
    // Not assert_eq: megabytes.
    assert!(genotypes(&folder.path("theirs.vcf")) == genotypes(&source));
    assert!(genotypes(&folder.path("ours.vcf")) == genotypes(&source));
    // The format by argument, a part of the file, and labels from the .psam.
    let part = ["-r", "1:1-100000", "-s", "AFR000,AFR007"];
    haploom(["convert", &folder.path("theirs.pgen"), &folder.path("part"), "-O", "pgen"].iter().chain(&part)).ok();
    haploom(["convert", &source, &folder.path("part.vcf")].iter().chain(&part)).ok();
    haploom(["convert", &folder.path("part"), &folder.path("back.vcf")]).ok();
    assert_eq!(genotypes(&folder.path("back.vcf")), genotypes(&folder.path("part.vcf")));
    folder.file("theirs.psam", {
        let people = bcftools(&["query", "-l", &source]);
        let lines = people.lines().map(|name| format!("{name}\tNA\t{}\n", &name[..3]));
        format!("#IID\tSEX\tpopulation\n{}", lines.collect::<String>())
    });
    let info = haploom(["info", &folder.path("theirs.pgen"), "--labels", &folder.path("theirs.psam")]).ok();
    assert!(String::from_utf8_lossy(&info.out).contains("people labelled AFR"));
    haploom(["convert", &source, "-", "-O", "pgen"]).refused(2, &["three files"]);
}

#[test]
fn a_part_of_a_panel_is_what_bcftools_takes() {
    let folder = Folder::new();
    let source = folder.file("small.vcf", small_vcf());
    let target = folder.path("part.vcf");
    haploom(["convert", &source, &target, "-s", "^ben", "-r", "1:150-300"]).ok();
    let theirs = folder.path("theirs.vcf");
    bcftools(&["view", "-s", "^ben", "-t", "1:150-300", "-o", &theirs, &source]);
    assert_eq!(genotypes(&target), genotypes(&theirs));
    let list = folder.file("people.txt", "cat\nann\n");
    haploom(["convert", &source, &target, "-S", &list]).ok();
    assert_eq!(bcftools(&["query", "-l", &target]), "ann\ncat\n");
}

#[test]
fn a_dash_is_standard_input_and_output() {
    let text = small_vcf();
    let run = haploom_with_input(&["convert", "-", "-"], text.as_bytes()).ok();
    let records = |text: &str| -> Vec<String> {
        text.lines()
            .filter(|l| !l.starts_with('#'))
            .map(|l| l.rsplit('\t').take(3).collect::<Vec<_>>().join(" "))
            .collect()
    };
    assert_eq!(records(&run.text()), records(&text));
    let run = haploom_with_input(&["convert", "-", "-", "-O", "bcf"], text.as_bytes()).ok();
    let again = haploom_with_input(&["convert", "-", "-", "-O", "vcf"], &run.out).ok();
    assert_eq!(records(&again.text()), records(&text));
    assert!(again.err.contains("standard input: 3 people, 6 haplotypes, 4 sites"), "{}", again.err);
}

#[test]
fn quiet_is_silent_and_errors_are_not() {
    let text = small_vcf();
    let run = haploom_with_input(&["convert", "-", "-", "--quiet"], text.as_bytes()).ok();
    assert!(run.err.is_empty(), "{}", run.err);
    let run = haploom(["-q", "convert", "/no/such/panel.vcf", "-"]);
    run.refused(1, &["/no/such/panel.vcf", "No such file"]);
}

#[test]
fn a_closed_pipe_ends_the_program_without_a_word() {
    let panel = demo_panel();
    let mut child = Command::new(env!("CARGO_BIN_EXE_haploom"))
        .args(["convert", panel.to_str().expect("text"), "-", "--quiet"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("haploom runs");
    drop(child.stdout.take());
    let output = child.wait_with_output().expect("haploom ends");
    assert!(!output.status.success());
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_refusal_names_file_and_remedy_and_leaves_nothing_behind() {
    let folder = Folder::new();
    let target = folder.path("out.bcf");
    let refused = |source: &str, extra: &[&str], parts: &[&str]| {
        let mut args = vec!["convert", source, &target];
        args.extend(extra);
        haploom(&args).refused(1, parts);
        assert!(!folder.names().iter().any(|n| n.starts_with("out") || n.contains("tmp")), "{:?}", folder.names());
    };
    let good = folder.file("good.vcf", small_vcf());
    refused(&good, &["-r", "7"], &["good.vcf", "7"]);
    refused(&good, &["-r", "1:5000-6000"], &["1:5000-6000"]);
    refused(&good, &["-s", "dan"], &["dan", "no such sample"]);
    refused(&good, &["-S", "/no/such/list"], &["/no/such/list"]);
    let text = folder.file("notes.txt", "Dear diary,\n");
    refused(&text, &[], &["notes.txt", "VCF"]);
    let empty = folder.file("empty.vcf", "");
    refused(&empty, &[], &["empty.vcf"]);
    let unphased = folder.file("unphased.vcf", vcf(&["ann"], &[(100, &["0|1"]), (200, &["0/1"])]));
    refused(&unphased, &[], &["unphased.vcf", "1:200", "ann", "--unphased as-written"]);
    let missing = folder.file("missing.vcf", vcf(&["ann"], &[(100, &["0|1"]), (200, &[".|1"])]));
    refused(&missing, &[], &["missing.vcf", "1:200", "ann", "--missing"]);
    let unsorted = folder.file("unsorted.vcf", vcf(&["ann"], &[(200, &["0|1"]), (100, &["0|1"])]));
    refused(&unsorted, &[], &["unsorted.vcf", "1:100", "bcftools sort"]);
    let ploidy = folder.file("ploidy.vcf", vcf(&["ann"], &[(100, &["0|1"]), (200, &["1"])]));
    refused(&ploidy, &[], &["ploidy.vcf", "1:200", "ann"]);
    let twice = folder.file("twice.vcf", vcf(&["ann", "ann"], &[(100, &["0|1", "0|0"])]));
    refused(&twice, &[], &["twice.vcf", "ann"]);
    let demo = std::fs::read(demo_panel()).expect("the demo panel");
    let truncated = folder.file("truncated.bcf", &demo[..demo.len() * 2 / 3]);
    refused(&truncated, &[], &["truncated.bcf"]);
    let no_end = folder.file("no_end.bcf", &demo[..demo.len() - 28]);
    refused(&no_end, &[], &["no_end.bcf"]);
    let folder_name = folder.path("");
    refused(&folder_name, &[], &[]);
}

#[test]
fn rules_on_request_fill_what_is_otherwise_refused() {
    let folder = Folder::new();
    let source = folder.file("gaps.vcf", vcf(&["ann", "ben"], &[(100, &["0|1", "./1"]), (200, &["0/1", "1|1"])]));
    let take = |missing: &str, unphased: &str| {
        haploom(["convert", &source, "-", "--missing", missing, "--unphased", unphased, "-q"]).ok().text()
    };
    let last = |text: &str| text.lines().last().unwrap_or_default().rsplit('\t').take(2).collect::<Vec<_>>().join(" ");
    assert_eq!(last(&take("reference", "as-written")), "1|1 0|1");
    assert_eq!(last(&take("drop-site", "as-written")), "1|1 0|1");
    assert_eq!(last(&take("keep", "keep")), "1|1 0/1");
    assert_eq!(take("drop-site", "as-written").lines().filter(|l| !l.starts_with('#')).count(), 1);
}

#[test]
fn an_output_that_cannot_be_written_is_an_error() {
    let folder = Folder::new();
    let source = folder.file("small.vcf", small_vcf());
    haploom(["convert", &source, "/no/such/folder/out.bcf"]).refused(1, &["/no/such/folder/out.bcf"]);
    haploom(["convert", &source, &folder.path("out.xyz")]).refused(1, &["out.xyz", ".vcf.gz"]);
    haploom(["convert", &source, "/dev/full", "-O", "vcf"]).refused(1, &["/dev/full"]);
    haploom(["convert", &source, "/dev/full", "-O", "bcf"]).refused(1, &["/dev/full"]);
}

#[test]
fn info_tells_what_is_in_a_panel_and_refuses_nothing_in_it() {
    let folder = Folder::new();
    let labels = folder.file("labels.tsv", "sample\tpop\nann\tEUR\nben\tAFR\n");
    let source = folder.file("gaps.vcf", vcf(&["ann", "ben"], &[(100, &["0|1", "./1"]), (200, &["0/1", "1|1"])]));
    let run = haploom(["info", &source, "--labels", &labels]).ok();
    let text = run.text();
    for line in [
        "people\t2",
        "haplotypes\t4",
        "sites\t2",
        "contig\t1:100-200, 2 sites",
        "missing alleles\t1",
        "people labelled AFR\t1",
    ] {
        assert!(text.lines().any(|l| l == line), "{line}:\n{text}");
    }
    let wrong = folder.file("wrong.tsv", "sample\tpop\nzoe\tEUR\n");
    haploom(["info", &source, "--labels", &wrong]).refused(1, &["wrong.tsv", "ann"]);
}
