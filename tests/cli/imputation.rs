//! `impute`, `paint` and `--share`.

use super::*;

/// A folder with the demo's people: `panel.bcf` (860 of them), `target.vcf` (the others, at every tenth site).
fn folder() -> Folder {
    let folder = Folder::new();
    let demo = demo_panel();
    let demo = demo.to_str().unwrap();
    let held_out: Vec<String> = bcftools(&["query", "-l", demo]).lines().skip(860).map(String::from).collect();
    let list = folder.file("held_out.txt", held_out.join("\n"));
    haploom(["convert", demo, &folder.path("panel.bcf"), "-S", &format!("^{list}")]).ok();
    haploom(["convert", demo, &folder.path("whole.vcf"), "-S", &list]).ok();
    let text = std::fs::read_to_string(folder.path("whole.vcf")).unwrap();
    let mut number = 0;
    let keep = |line: &&str| {
        number += usize::from(!line.starts_with('#'));
        line.starts_with('#') || number % 10 == 1
    };
    let kept: Vec<&str> = text.lines().filter(keep).collect();
    folder.file("target.vcf", kept.join("\n") + "\n");
    folder
}

#[test]
fn a_target_is_imputed_and_painted() {
    let folder = folder();
    let [panel, target, map, vcf, bcf, table] =
        ["panel.bcf", "target.vcf", "map", "out.vcf.gz", "out.bcf", "table.tsv"].map(|name| folder.path(name));
    let contig = {
        let text = std::fs::read_to_string(&target).unwrap();
        text.lines().find(|l| !l.starts_with('#')).unwrap().split('\t').next().unwrap().to_string()
    };
    std::fs::write(&map, format!("{contig} . 0 1\n{contig} . 100 100000000\n")).unwrap();
    let run = haploom(["impute", &target, "--panel", &panel, "--map", &map, "-o", &vcf]).ok();
    for part in ["40 people, 80 sites typed, 720 imputed, 0 passed through", "mean ER2", "effective size"] {
        assert!(run.err.contains(part), "no '{part}' in: {}", run.err);
    }
    haploom(["impute", &target, "--panel", &panel, "--map", &map, "-o", &bcf, "--threads", "1"]).ok();
    // bcftools reads both, with the same genotypes and numbers, through their indexes.
    let query = |file: &str| {
        let fields = "%POS %INFO/AF %INFO/R2 %INFO/INFO %INFO/ER2 %TYPED %IMPUTED[ %GT %DS %HDS %GP]\n";
        bcftools(&["query", "-r", &contig, "-f", fields, file])
    };
    let text = query(&vcf);
    assert_eq!(text.lines().count(), 800);
    assert!(text == query(&bcf), "VCF and BCF differ");
    haploom(["paint", &target, "--panel", &panel, "-o", &table]).ok();
    let table = std::fs::read_to_string(table).unwrap();
    let sites: usize = table.lines().skip(1).map(|l| l.split('\t').nth(8).unwrap().parse::<usize>().unwrap()).sum();
    assert_eq!(sites, 80 * 80, "each typed site of each haplotype is painted once");
}

#[test]
fn a_vae_imputes_and_encodes() {
    let folder = folder();
    let [panel, target, model, one, two, codes] =
        ["panel.bcf", "target.vcf", "vae.safetensors", "one.vcf", "two.vcf", "codes.tsv"].map(|name| folder.path(name));
    let small = "updates=20,looks=1,batch=8,latent=8";
    haploom(["train", "-q", &panel, "--model", "vae", "--set", small, "-o", &model]).ok();
    let set = "latent_pool=50,latent_chains=16,latent_steps=9";
    haploom(["impute", &target, "--model", &model, "--set", set, "-o", &one, "--threads", "1"]).ok();
    haploom(["impute", &target, "--model", &model, "--set", set, "-o", &two, "--threads", "2"]).ok();
    let records = |file: &str| -> Vec<String> {
        let text = std::fs::read_to_string(file).unwrap();
        text.lines().filter(|line| !line.starts_with('#')).map(String::from).collect()
    };
    assert_eq!(records(&one).len(), 800);
    assert!(records(&one) == records(&two), "threads changed dosages");
    haploom(["encode", "-q", &model, &panel, "-o", &codes, "--vectors", "3"]).ok();
    let text = std::fs::read_to_string(codes).unwrap();
    assert!(text.lines().all(|line| line.split('\t').count() == 2 + 3 + 8), "latent means and their projections");
}

#[test]
fn what_cannot_be_imputed_is_refused_with_a_way_out() {
    let folder = folder();
    let [panel, target, out, model] =
        ["panel.bcf", "target.vcf", "out.vcf", "model.safetensors"].map(|name| folder.path(name));
    let run = haploom(["impute", &target, "-o", &out]);
    assert!(run.status == 2 && run.err.contains("--panel"), "{}", run.err);
    let text = std::fs::read_to_string(&target).unwrap();
    let unphased = folder.path("unphased.vcf");
    std::fs::write(&unphased, text.replace("0|1", "0/1")).unwrap();
    haploom(["impute", &unphased, "--panel", &panel, "-o", &out]).refused(1, &["not phased", "beagle"]);
    let chr = folder.path("chr.vcf");
    let renamed: Vec<String> = text
        .lines()
        .map(|line| match line.starts_with('#') {
            true => line.replace("ID=chr", "ID=").replace("contig=<ID=", "contig=<ID=chr"),
            false => format!("chr{line}"),
        })
        .collect();
    std::fs::write(&chr, renamed.join("\n") + "\n").unwrap();
    haploom(["impute", &chr, "--panel", &panel, "-o", &out]).refused(1, &["contig", "--match-contigs"]);
    haploom(["impute", &chr, "--panel", &panel, "-o", &out, "--match-contigs"]).ok();
    assert!(
        std::fs::read_to_string(&out).unwrap().lines().filter(|l| !l.starts_with('#')).all(|l| l.starts_with("chr"))
    );
    let build: Vec<String> = text
        .lines()
        .map(|line| match line.split_once('\t') {
            Some((contig, rest)) if !line.starts_with('#') => {
                let (position, rest) = rest.split_once('\t').unwrap();
                format!("{contig}\t{}\t{rest}", position.parse::<u64>().unwrap() + 500_000_000)
            }
            _ => line.to_string(),
        })
        .collect();
    let other = folder.path("build.vcf");
    std::fs::write(&other, build.join("\n") + "\n").unwrap();
    haploom(["impute", &other, "--panel", &panel, "-o", &out]).refused(1, &["share no site", "genome build"]);
    haploom(["train", &panel, "--model", "markov", "-o", &model]).ok();
    haploom(["impute", &target, "--model", &model, "-o", &out]).refused(2, &["markov", "does not impute", "hmm"]);
    for kind in ["copying", "context"] {
        let refused = haploom(["train", &panel, "--model", kind, "--share", "-o", &model]);
        refused.refused(2, &["holds the panel's haplotypes", "hmm"]);
    }
    // As many clusters as haplotypes, and next to no prior: some are somebody's.
    let clusters = ["hmm_clusters=1720", "allele_prior=0.001", "iterations=1"].map(|o| ["--set", o]).concat();
    let mut near = vec!["train", &panel, "--model", "hmm", "--share", "-o", &model];
    near.extend(clusters);
    haploom(near).refused(2, &["came to hold haplotypes", "hmm_clusters"]);
    haploom(["train", &panel, "--model", "bernoulli", "--share", "-o", &model]).ok();
    haploom(["impute", &target, "--model", &model, "-o", &out]).ok();
    let copying = folder.path("copying.safetensors");
    haploom(["train", &panel, "--model", "copying", "-o", &copying]).ok();
    let told = haploom(["info", &copying]).ok().text();
    assert!(told.contains("holds haplotypes\tyes") && told.contains("it holds the haplotypes"), "{told}");
    haploom(["impute", &target, "--model", &copying, "-o", &out]).ok();
    haploom(["impute", &target, "--panel", &panel, "--model", &copying, "--artificial", "100", "-o", &out]).ok();
}
