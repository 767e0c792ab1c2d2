//! Labels: from a table or a header into a model, and out of it by population.

use crate::{Folder, bcftools, demo_panel, haploom};

const TINY: &str = "updates=3,looks=1,batch=8,latent=4";

/// 30 people of each population of the demo at its first sites, and a table of them without a header.
fn panel(folder: &Folder) -> (String, String) {
    let names: Vec<String> =
        ["AFR", "EAS", "EUR"].iter().flat_map(|p| (0..30).map(move |i| format!("{p}{i:03}"))).collect();
    let target = folder.path("panel.vcf");
    let demo = demo_panel().to_str().expect("text").to_string();
    haploom(["convert", "-q", &demo, &target, "-s", &names.join(","), "-r", "1:1-400000"]).ok();
    let table: String = names.iter().map(|name| format!("{name}\t{}\n", &name[..3])).collect();
    (target, folder.file("labels.tsv", table))
}

fn train(folder: &Folder, panel: &str, name: &str, labels: &str) -> String {
    let model = folder.path(name);
    haploom(["train", panel, "-o", &model, "-q", "--model", "gan", "--set", TINY, "--labels", labels]).ok();
    model
}

#[test]
fn populations_are_made_as_they_are_asked_for() {
    let folder = Folder::new();
    let (panel, labels) = panel(&folder);
    let model = train(&folder, &panel, "model", &labels);
    let info = haploom(["info", &model]).ok().text();
    let lines: Vec<&str> = info.lines().filter(|line| line.starts_with("label\t")).collect();
    assert_eq!(lines.len(), 3, "{info}");
    assert!(lines[0].starts_with("label\tAFR, 0.") && lines[2].starts_with("label\tEUR, 0."), "{info}");

    let run = |args: &[&str]| haploom([&["sample", &model, "-q", "-o", "-"], args].concat());
    let records = |args: &[&str]| -> Vec<Vec<String>> {
        let text = run(args).ok().text();
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        lines.map(|line| line.split('\t').skip(9).map(String::from).collect()).collect()
    };
    let (plan, european, african) = (records(&["--label", "EUR=6,AFR=4"]), records(&["-n", "6", "--label", "EUR"]), {
        records(&["--label", "AFR=4", "-n", "4"])
    });
    for (plan, (european, african)) in plan.iter().zip(european.iter().zip(&african)) {
        assert_eq!(plan[..3], european[..]);
        assert_eq!(plan[3..], african[..]);
    }
    let rest = records(&["--label", "EUR=6,AFR=4", "--first", "4"]);
    assert!(plan.iter().zip(&rest).all(|(plan, rest)| plan[2..] == rest[..]));
    let header = run(&["--label", "EUR=6,AFR=4"]).ok().text();
    assert!(header.contains("##haploom_labels=EUR:6,AFR:4\n"), "{header}");

    run(&["--label", "EUR"]).refused(2, &["-n", "LABEL=N"]);
    run(&["--label", "EUR=6,AFR=4", "-n", "4"]).refused(2, &["-n is 4", "10 haplotypes"]);
    run(&["--label", "EUR=6,AFR=4", "-n", "10", "--first", "2"]).refused(2, &["8 haplotypes from number 2 on"]);
    run(&["--label", "EUR=6", "--first", "6"]).refused(2, &["--first"]);
    run(&["--label", "EUR=5,AFR=5"]).refused(2, &["5 haplotypes of EUR"]);
    run(&["--label", "EUR=6,XYZ=4"]).refused(1, &["'XYZ'", "AFR, EAS, EUR"]);
    run(&["--label", "EUR=6,AFR"]).refused(2, &["'AFR' says no number"]);
    assert_eq!(run(&[]).status, 2);

    let larger = folder.path("larger.bcf");
    let run = haploom(["augment", &panel, &model, "--label", "EUR=6,AFR=4", "-o", &larger]).ok();
    assert!(run.err.contains("90 real people and 5 artificial ones"), "{}", run.err);
    let added = bcftools(&["query", "-s", "HAPLOOM_3,HAPLOOM_4", "-f", "[%GT\t]\n", &larger]);
    let expected: String = african.iter().map(|line| format!("{}\t\n", line.join("\t"))).collect();
    assert_eq!(added, expected);
    assert!(bcftools(&["view", "-h", &larger]).contains("##haploom_labels=EUR:6,AFR:4"));
}

#[test]
fn labels_are_written_where_a_format_has_a_place_for_them() {
    let folder = Folder::new();
    let (panel, labels) = panel(&folder);
    let model = train(&folder, &panel, "model", &labels);
    let (hapt, hap, pgen) = (folder.path("new.hapt"), folder.path("new.hap"), folder.path("new.pgen"));
    for target in [&hapt, &hap, &pgen] {
        haploom(["sample", &model, "-q", "--label", "EAS=4,AFR=2", "-o", target]).ok();
    }
    let read = |name: &str| std::fs::read_to_string(folder.path(name)).expect("a file");
    let groups: Vec<String> = read("new.hapt").lines().map(|l| l[..15].to_string()).collect();
    assert_eq!(groups[3..5], ["EAS HAPLOOM_1_B", "AFR HAPLOOM_2_A"]);
    assert!(read("new.samples").ends_with("HAPLOOM_1 EAS EAS 2\nHAPLOOM_2 AFR AFR 2\n"), "{}", read("new.samples"));
    assert!(read("new.psam").ends_with("HAPLOOM_1\tNA\tEAS\nHAPLOOM_2\tNA\tAFR\n"), "{}", read("new.psam"));
    let read_back = haploom(["info", &pgen, "-q", "--labels", &folder.path("new.psam")]).ok().text();
    assert!(read_back.contains("AFR") && read_back.contains("EAS"), "{read_back}");
}

#[test]
fn labels_of_a_header_and_of_a_table_without_one_train_the_same_model() {
    let folder = Folder::new();
    let (panel, labels) = panel(&folder);
    let table = std::fs::read_to_string(&labels).expect("a file");
    let text = std::fs::read_to_string(&panel).expect("a file");
    let lines: String = table
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .map(|(name, label)| format!("##SAMPLE=<ID={name},Sex=NA,Population={label}>\n"))
        .collect();
    let told = folder.file("told.vcf", text.replacen("#CHROM", &format!("{lines}#CHROM"), 1));
    let told_bcf = folder.path("told.bcf");
    bcftools(&["view", "-Ob", "-o", &told_bcf, &told]);
    let headed = folder.file("headed.tsv", format!("sample\tpop\n{table}"));
    let bytes = |path: &str| std::fs::read(path).expect("a file");
    let expected = bytes(&train(&folder, &panel, "plain", &labels));
    assert_eq!(bytes(&train(&folder, &panel, "headed", &headed)), expected);
    assert_eq!(bytes(&train(&folder, &told, "told", "header:Population")), expected);
    assert_eq!(bytes(&train(&folder, &told_bcf, "told_bcf", "header:Population")), expected);
    let refused = |panel: &str, labels: &str, parts: &[&str]| {
        let target = folder.path("never");
        haploom(["train", panel, "-o", &target, "--model", "gan", "--labels", labels]).refused(1, parts);
    };
    refused(&told, "header:Height", &["'Height'", "Population=AFR"]);
    refused(&panel, "header:Population", &["no header with lines ##SAMPLE"]);
    refused(&panel, &format!("{labels}:pop"), &["no column 'pop'", "no header"]);
}
