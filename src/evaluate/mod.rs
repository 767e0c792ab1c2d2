//! How close artificial haplotypes are to real ones, and how much of these leaks.
//!
//! [`evaluate`] gives every number with its floor beside it: the same number between the real haplotypes and held-out
//! ones, where such are given. One file a metric; `distances` and `adversarial` also serve training.

pub mod adversarial;
mod alignment;
pub(crate) mod components;
pub mod distances;
mod frequency;
pub(crate) mod linkage;
mod measure;
pub mod membership;
mod triplets;

pub use measure::{Evaluation, Measure};

use crate::compute::{Device, DeviceChoice};
use crate::error::{Error, Result};
use crate::options::Options;
use crate::panel::Panel;
use crate::panel::bits::BitMatrix;
use crate::panel::samples::Samples;
use crate::panel::sites::Sites;
use crate::progress::Progress;
use crate::rng::{Purpose, Reader, Stream};
use crate::threads::Threads;
use components::Joint;
use distances::Histogram;
use frequency::BINS;

/// Gaps of triplets, in sites.
const GAPS: [usize; 7] = [1, 4, 16, 64, 256, 512, 1024];
/// Steps of an evaluation, for progress.
const STEPS: u64 = 7;

/// How to evaluate. The defaults are the rules by which the published numbers were made comparable.
#[derive(Clone, Debug)]
pub struct EvaluateOptions {
    /// The seed of draws. Default 1.
    pub seed: u64,
    /// The threads. Default 1.
    pub threads: Threads,
    /// What counts the distances to nearest haplotypes. Results do not depend on it. Default: the processor.
    pub device: DeviceChoice,
    /// Draws of adversarial accuracy. Default 5.
    pub aats_draws: usize,
    /// Haplotypes a side in a draw, at most. Default 2,500.
    pub aats_most: usize,
    /// Random triplets of sites. Default 8,000.
    pub triplets: usize,
    /// Whether triplets with the gaps 1, 4, 16, 64, 256, 512 and 1,024 are looked at too. Default no.
    pub gaps: bool,
    /// Regularisation of the transport between principal components; its number is in the measure's name. Default .001.
    pub transport_reg: f64,
    /// Haplotypes a side in the transport, at most. Default 2,000.
    pub transport_most: usize,
    /// Sites whose pairs are all looked at for linkage disequilibrium; more are sampled. Default 10,000.
    pub linkage_most: usize,
}

impl Default for EvaluateOptions {
    fn default() -> Self {
        EvaluateOptions {
            seed: 1,
            threads: Threads::single(),
            device: DeviceChoice::Cpu,
            aats_draws: 5,
            aats_most: 2500,
            triplets: 8000,
            gaps: false,
            transport_reg: 0.001,
            transport_most: 2000,
            linkage_most: 10_000,
        }
    }
}

impl EvaluateOptions {
    /// From the keys that evaluation reads, with their defaults, and `seed`, `threads` and `device`.
    ///
    /// # Errors
    /// `InvalidOption` for a device that does not parse.
    pub fn from_options(options: &Options) -> Result<Self> {
        Ok(EvaluateOptions {
            seed: options.whole("seed") as u64,
            threads: Threads::new(options.whole("threads")),
            device: options.text("device").parse()?,
            aats_draws: options.whole("aats_draws"),
            aats_most: options.whole("aats_most"),
            triplets: options.whole("triplets"),
            gaps: options.flag("gaps"),
            transport_reg: options.number("transport_reg"),
            transport_most: options.whole("transport_most"),
            linkage_most: options.whole("linkage_most"),
        })
    }
}

/// Compares artificial haplotypes with the real ones that a model learned from, at the sites that the panels share.
/// With held-out haplotypes each number has its floor, and privacy is judged. Population shares are judged if all real
/// samples have labels.
///
/// # Errors
/// `Missing`, `Unphased` or `Empty` for a panel that is not complete; `NoOverlap`, `ContigMismatch` or `AlleleMismatch`
/// for panels that do not compare; `InvalidArgument` for options out of range; `NoDriver`, `NoDevice` and their kin for a GPU
/// that cannot be used; `Cancelled`; `OutOfMemory`.
pub fn evaluate(
    real: &Panel,
    artificial: &Panel,
    held_out: Option<&Panel>,
    options: &EvaluateOptions,
    progress: &mut Progress,
) -> Result<Evaluation> {
    if options.aats_draws == 0 || options.aats_most < 2 || options.transport_most == 0 || options.linkage_most < 2 {
        return Err(Error::argument("an evaluation needs draws, haplotypes and sites"));
    }
    let mut panels = vec![("real", real), ("artificial", artificial)];
    panels.extend(held_out.map(|panel| ("held-out", panel)));
    panels.iter().try_for_each(|(_, panel)| panel.require_complete())?;
    let aligned = alignment::align(&panels)?;
    let sites = aligned.sites.len();
    if panels.iter().any(|(_, panel)| panel.sites().len() != sites) {
        let counts: Vec<String> =
            panels.iter().map(|(name, panel)| format!("{} {name}", panel.sites().len())).collect();
        progress.notice(format!("of the sites ({}), the {sites} that all panels have are compared", counts.join(", ")));
    }
    // A floor between sets of the comparison's sizes, where there are people enough.
    let held_out = match aligned.bits.get(2) {
        Some(bits) if bits.rows() > artificial.haplotypes() => {
            let rows = draw(options, HELD_OUT).choose(bits.rows(), artificial.haplotypes());
            Some(bits.select_rows(&rows)?)
        }
        Some(bits) => Some(bits.clone().into_owned()),
        None => None,
    };
    let labels = real.samples().haplotype_labels();
    let mut bench = Bench {
        real: &aligned.bits[0],
        artificial: &aligned.bits[1],
        held_out: held_out.as_ref(),
        options,
        device: options.device.open(&options.threads)?,
        measures: Vec::new(),
    };
    let phase = "evaluating";
    let mut done = 0..=STEPS;
    let mut step = |progress: &mut Progress| progress.step(phase, done.next().unwrap_or(STEPS), STEPS, "metrics");
    step(progress)?;
    bench.frequencies();
    step(progress)?;
    bench.linkage(&aligned.sites)?;
    step(progress)?;
    bench.triplets()?;
    step(progress)?;
    bench.components(labels.as_deref(), progress)?;
    step(progress)?;
    bench.pairwise()?;
    step(progress)?;
    bench.neighbours()?;
    step(progress)?;
    if let (Some(bits), Some(panel)) = (aligned.bits.get(2), panels.get(2)) {
        bench.membership((real.samples(), &aligned.bits[0]), (panel.1.samples(), bits), &aligned.sites)?;
    }
    step(progress)?;
    Ok(Evaluation {
        measures: bench.measures,
        real: real.haplotypes(),
        artificial: artificial.haplotypes(),
        held_out: held_out.as_ref().map(BitMatrix::rows),
        sites,
        seed: options.seed,
    })
}

/// Numbers of the streams that draws are made from; adversarial draws count on from the last.
const HELD_OUT: u64 = 0;
const SITES: u64 = 1;
const TRIPLETS: u64 = 2;
const ADVERSARIAL: u64 = 16;

fn draw(options: &EvaluateOptions, number: u64) -> Reader {
    Stream::new(options.seed, Purpose::Evaluate, number).reader(0)
}

/// What is on the bench: the sets of haplotypes, and the numbers so far.
struct Bench<'a> {
    real: &'a BitMatrix,
    artificial: &'a BitMatrix,
    held_out: Option<&'a BitMatrix>,
    options: &'a EvaluateOptions,
    device: Device,
    measures: Vec<Measure>,
}

impl Bench<'_> {
    /// Adds a number with its floor, and hands it back for what else is to be said.
    fn add(
        &mut self,
        name: impl Into<String>,
        title: impl Into<String>,
        best: impl Into<Option<f64>>,
        value: Option<f64>,
        floor: Option<f64>,
    ) -> &mut Measure {
        let finite = |x: &f64| x.is_finite();
        let value = value.filter(finite);
        let n = [self.real.rows(), self.artificial.rows()];
        let floor_n = self.held_out.map(|e| [self.real.rows(), e.rows()]);
        self.measures.push(Measure {
            name: name.into(),
            title: title.into(),
            value,
            floor: floor.filter(finite),
            best: best.into(),
            sd: None,
            n,
            floor_n,
            note: value.is_none().then(|| "not defined here".to_string()),
        });
        let last = self.measures.len() - 1;
        &mut self.measures[last]
    }

    fn frequencies(&mut self) {
        let real = frequency::frequencies(self.real);
        let artificial = frequency::frequencies(self.artificial);
        let held_out = self.held_out.map(frequency::frequencies);
        let value = frequency::agreement(&real, &artificial);
        let floor = held_out.as_ref().map(|e| frequency::agreement(&real, e));
        let floor = floor.as_ref();
        self.add("frequency_r", "allele frequency, r", 1.0, value.r, floor.and_then(|f| f.r));
        self.add("frequency_mae", "allele frequency, mean absolute error", 0.0, value.mae, floor.and_then(|f| f.mae));
        let note = format!("{} sites", value.low_sites);
        self.add("frequency_r_low", "allele frequency, r, MAF <= 0.2", 1.0, value.low_r, floor.and_then(|f| f.low_r))
            .tell(&note);
        self.add(
            "frequency_mae_low",
            "allele frequency, mean absolute error, MAF <= 0.2",
            0.0,
            value.low_mae,
            floor.and_then(|f| f.low_mae),
        )
        .tell(&note);

        let (all, bins) = frequency::fixed_sites(&real, &artificial);
        let floor = held_out.as_ref().map(|e| frequency::fixed_sites(&real, e));
        let floor_all = floor.map(|f| f.0);
        self.add(
            "fixed_sites",
            "polymorphic sites that became fixed",
            0.0,
            Some(all.fixed as f64),
            floor_all.map(|f| f.fixed as f64),
        );
        self.add("fixed_share", "share of them", 0.0, all.share(), floor_all.and_then(|f| f.share()))
            .tell(&format!("of {} sites", all.polymorphic));
        for (b, bin) in bins.iter().enumerate() {
            let floor = floor.and_then(|f| f.1[b].share());
            self.add(
                format!("fixed_share_maf_{}_{}", BINS[b], BINS[b + 1]),
                format!("share of them, MAF {} to {}", BINS[b], BINS[b + 1]),
                0.0,
                bin.share(),
                floor,
            )
            .tell(&format!("of {} sites", bin.polymorphic));
        }
    }

    fn linkage(&mut self, sites: &Sites) -> Result<()> {
        let threads = &self.options.threads;
        let most = self.options.linkage_most;
        let mut chosen = draw(self.options, SITES).choose(sites.len(), most);
        chosen.sort();
        let pairs = linkage::Pairs::new(sites, chosen);
        let value = pairs.compare(self.real, self.artificial, threads)?;
        let floor = self.held_out.map(|e| pairs.compare(self.real, e, threads)).transpose()?;
        let floor = floor.as_ref();
        let mut note = match sites.len() > most {
            true => format!("all {} pairs of {most} sites drawn at random", value.pairs),
            false => format!("all {} pairs", value.pairs),
        };
        if value.dropped > 0 {
            note += &format!(", {} fixed sites left out", value.dropped);
        }
        self.add("ld_r", "LD, r of r2 over pairs of sites", 1.0, value.r, floor.and_then(|f| f.r)).tell(&note);
        let decay = self.add(
            "ld_decay_mae",
            "LD decay, mean absolute error over distance",
            0.0,
            value.decay_mae,
            floor.and_then(|f| f.decay_mae),
        );
        match decay.value {
            Some(_) => decay.tell("20 log-spaced bins of bp within contigs"),
            None => decay.tell("no two sites on one contig"),
        }
        Ok(())
    }

    fn triplets(&mut self) -> Result<()> {
        let (sites, count) = (self.real.columns(), self.options.triplets);
        let mut random = draw(self.options, TRIPLETS);
        let mut kinds = vec![("three_point_r".to_string(), "3-point correlation, r".to_string())];
        let mut all = vec![triplets::random(sites, count, &mut random)];
        if self.options.gaps {
            for gap in GAPS {
                kinds.push((format!("three_point_r_gap_{gap}"), format!("3-point correlation, r, gap {gap}")));
                all.push(triplets::spaced(sites, gap, count, &mut random));
            }
        }
        for ((name, title), triplets) in kinds.into_iter().zip(all) {
            let value = triplets::agreement(self.real, self.artificial, &triplets)?;
            let floor = self.held_out.map(|e| triplets::agreement(self.real, e, &triplets)).transpose()?.flatten();
            self.add(name, title, 1.0, value, floor).tell(&format!("{} triplets", triplets.len()));
        }
        Ok(())
    }

    fn components(&mut self, labels: Option<&[&str]>, progress: &mut Progress) -> Result<()> {
        let options = self.options;
        let (threads, reg, most) = (&options.threads, options.transport_reg, options.transport_most);
        let joint = |others: &BitMatrix| Joint::new(self.real, others, options.seed, threads);
        let value = joint(self.artificial)?;
        let floor = self.held_out.map(joint).transpose()?;
        progress.check()?;
        // Six transports at most, each on one thread: its iterations are too short to share out.
        let joints: Vec<&Joint> = [Some(&value), floor.as_ref()].into_iter().flatten().collect();
        let firsts = [0, 2, 4];
        let costs = threads.map(3 * joints.len(), |i| joints[i / 3].transport(firsts[i % 3], reg, most))?;
        let costs = costs.into_iter().collect::<Result<Vec<_>>>()?;
        for (i, first) in firsts.into_iter().enumerate() {
            let found = costs[i];
            let floor = costs.get(3 + i).copied().flatten();
            let (a, b) = (first + 1, first + 2);
            let measure = self.add(
                format!("pca_w2_pc{a}{b}_reg{reg}"),
                format!("PCA W2, PCs {a}-{b}, regularisation {reg}"),
                None,
                found.map(|t| t.cost),
                floor.map(|t| t.cost),
            );
            let limit = |n: &mut [usize; 2]| n.iter_mut().for_each(|n| *n = most.min(*n));
            if measure.n.iter().any(|n| *n > most) {
                measure.tell(&format!("at most {most} haplotypes a side, evenly over the plane"));
            }
            limit(&mut measure.n);
            measure.floor_n.iter_mut().for_each(limit);
            if let Some(t) = found.filter(|t| !t.converged()) {
                measure.tell(&format!("stopped early: {:.1e} of the mass is off", t.error));
            }
        }
        let Some(labels) = labels else {
            return Ok(());
        };
        let real = components::shares(labels);
        let found = value.shares(labels, threads)?;
        let floor = floor.as_ref().map(|joint| joint.shares(labels, threads)).transpose()?;
        let difference = |found: &std::collections::BTreeMap<&str, f64>| {
            real.iter().map(|(label, share)| (share - found[label]).abs()).fold(0.0, f64::max)
        };
        self.add(
            "share_max_difference",
            "population shares, largest difference",
            0.0,
            Some(difference(&found)),
            floor.as_ref().map(difference),
        );
        for (label, share) in &real {
            let floor = floor.as_ref().map(|f| f[label]);
            self.add(format!("share_{label}"), format!("share of {label}"), *share, Some(found[label]), floor);
        }
        Ok(())
    }

    fn pairwise(&mut self) -> Result<()> {
        let threads = &self.options.threads;
        let within_real = Histogram::within(self.real, threads)?;
        let both = |others: &BitMatrix| -> Result<_> {
            let within = Histogram::within(others, threads)?.wasserstein(&within_real);
            let between = Histogram::between(others, self.real, threads)?.wasserstein(&within_real);
            Ok((within, between))
        };
        let value = both(self.artificial)?;
        let floor = self.held_out.map(both).transpose()?.unwrap_or_default();
        self.add("pairwise_w1_within", "pairwise distances, W1, within", 0.0, value.0, floor.0);
        self.add("pairwise_w1_between", "pairwise distances, W1, between", 0.0, value.1, floor.1);
        Ok(())
    }

    fn neighbours(&mut self) -> Result<()> {
        self.adversarial()?;
        let of = |others: &BitMatrix| -> Result<Vec<u32>> {
            let mut nearest = distances::nearest(self.real, others, &self.device)?.of_second;
            nearest.sort();
            Ok(nearest)
        };
        let value = of(self.artificial)?;
        let floor = self.held_out.map(of).transpose()?;
        let floor = floor.as_deref();
        let copies = |d: &[u32]| d.partition_point(|d| *d == 0) as f64;
        let share = |d: &[u32]| copies(d) / d.len() as f64;
        self.add("exact_copies", "copies of a real haplotype", 0.0, Some(copies(&value)), floor.map(copies));
        self.add("exact_copies_share", "share of copies", 0.0, Some(share(&value)), floor.map(share));
        for (percent, text) in [(1, "01"), (5, "05"), (50, "50")] {
            let quantile = |d: &[u32]| f64::from(d[(d.len() * percent).div_ceil(100).max(1) - 1]);
            self.add(
                format!("nearest_real_q{text}"),
                format!("distance to the nearest real one, {percent}% quantile"),
                None,
                Some(quantile(&value)),
                floor.map(quantile),
            );
            if let (Some(floor), true) = (floor, percent < 50) {
                let edge = quantile(floor);
                let within = |d: &[u32]| d.partition_point(|d| f64::from(*d) <= edge) as f64 / d.len() as f64;
                self.add(
                    format!("nearer_than_held_out_q{text}"),
                    format!("share as near as the nearest {percent}% of held-out ones"),
                    None,
                    Some(within(&value)),
                    Some(within(floor)),
                );
            }
        }
        Ok(())
    }

    /// Attacks that hold all people's genomes: `members` are those trained on. Nothing is drawn, all haplotypes count.
    fn membership(
        &mut self,
        members: (&Samples, &BitMatrix),
        others: (&Samples, &BitMatrix),
        sites: &Sites,
    ) -> Result<()> {
        let threads = &self.options.threads;
        let score = |(people, bits): (&Samples, &BitMatrix)| -> Result<[Vec<f64>; 4]> {
            let near = membership::nearness(people, bits, self.artificial, &self.device)?;
            let runs = membership::longest_runs(people, bits, self.artificial, sites, threads)?;
            let covering = membership::covering_runs(people, bits, self.artificial, sites, threads)?;
            Ok([near, runs, covering, membership::alleles_found(people, bits, self.artificial)])
        };
        let (of_members, of_others) = (score(members)?, score(others)?);
        let attacks = [
            ("nearest", "membership by the nearest one"),
            ("longest_run", "membership by the longest run"),
            ("covering_runs", "membership by the runs that cover"),
            ("alleles", "membership by alleles that none has"),
        ];
        let people = [members.0.len(), others.0.len()];
        for (i, (name, title)) in attacks.into_iter().enumerate() {
            let Some(found) = membership::attack(&of_members[i], &of_others[i]) else { continue };
            let note = format!(
                "standard error {:.3}, {} people trained on against {} held out",
                found.standard_error, people[0], people[1]
            );
            let auc = self.add(format!("{name}_auc"), format!("{title}, AUC"), 0.5, Some(found.auc), None);
            auc.tell(&note);
            let title = format!("{title}, TPR - FPR");
            self.add(format!("{name}_advantage"), title, 0.0, Some(found.advantage), None);
        }
        Ok(())
    }

    fn adversarial(&mut self) -> Result<()> {
        let (options, device) = (self.options, &self.device);
        let sets = [Some(self.real), Some(self.artificial), self.held_out];
        let sizes: Vec<usize> = sets.iter().flatten().map(|set| set.rows()).collect();
        let n = sizes.iter().fold(options.aats_most, |n, size| n.min(*size));
        let mut of_draws: [Vec<f64>; 4] = Default::default();
        let mut floors: [Vec<f64>; 3] = Default::default();
        // Where every set is taken whole, all draws are one.
        let draws = if sizes.iter().all(|size| *size == n) { 1 } else { options.aats_draws };
        for number in (0..draws).take_while(|_| n >= 2) {
            let mut random = draw(options, ADVERSARIAL + number as u64);
            let mut pick = |set: Option<&BitMatrix>| -> Result<_> {
                let Some(set) = set else { return Ok(None) };
                let chosen = set.select_rows(&random.choose(set.rows(), n))?;
                let within = distances::nearest_within(&chosen, device)?;
                Ok(Some((chosen, within)))
            };
            let (Some((t, tt)), Some((s, ss)), e) = (pick(sets[0])?, pick(sets[1])?, pick(sets[2])?) else {
                continue;
            };
            let found = adversarial::aats_to(&t, &tt, &s, &ss, device)?;
            of_draws[0].push(found.truth);
            of_draws[1].push(found.syn);
            of_draws[2].push(found.mean());
            if let Some((e, ee)) = e {
                let floor = adversarial::aats_to(&t, &tt, &e, &ee, device)?;
                floors[0].push(floor.truth);
                floors[1].push(floor.syn);
                floors[2].push(floor.mean());
                of_draws[3].push(adversarial::aats_to(&e, &ee, &s, &ss, device)?.mean() - found.mean());
            }
        }
        let note = match draws {
            _ if n < 2 => "fewer than two haplotypes".to_string(),
            1 => format!("all {n} a side"),
            _ => format!("{n} a side, mean of {draws} draws"),
        };
        let names = [
            ("aa_truth", "adversarial accuracy, real half", 0.5),
            ("aa_syn", "adversarial accuracy, artificial half", 0.5),
            ("aats", "adversarial accuracy, mean of the halves", 0.5),
            ("privacy_loss", "privacy loss", 0.0),
        ];
        for (i, (name, title, best)) in names.into_iter().enumerate() {
            if name == "privacy_loss" && self.held_out.is_none() {
                continue;
            }
            let floor = floors.get(i).and_then(|f| mean(f));
            let measure = self.add(name, title, best, mean(&of_draws[i]), floor);
            measure.sd = standard_deviation(&of_draws[i]);
            measure.n = [n; 2];
            // Privacy loss would need a third real set for a floor.
            measure.floor_n = measure.floor.map(|_| [n; 2]);
            measure.tell(&note);
        }
        Ok(())
    }
}

impl Measure {
    /// Adds to what else there is to know.
    fn tell(&mut self, note: &str) {
        self.note = Some(match self.note.take() {
            Some(before) => format!("{before}; {note}"),
            None => note.to_string(),
        });
    }
}

fn mean(x: &[f64]) -> Option<f64> {
    (!x.is_empty()).then(|| x.iter().sum::<f64>() / x.len() as f64)
}

/// Divisor n - 1; `None` for fewer than two.
fn standard_deviation(x: &[f64]) -> Option<f64> {
    let m = mean(x).filter(|_| x.len() > 1)?;
    Some((x.iter().map(|x| (x - m) * (x - m)).sum::<f64>() / (x.len() - 1) as f64).sqrt())
}

/// Pearson's correlation; `None` without variance.
fn pearson(x: &[f64], y: &[f64]) -> Option<f64> {
    let (mx, my) = (mean(x)?, mean(y)?);
    let (mut xx, mut yy, mut xy, mut size_x, mut size_y) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (x, y) in x.iter().zip(y) {
        let (dx, dy) = (x - mx, y - my);
        xx += dx * dx;
        yy += dy * dy;
        xy += dx * dy;
        size_x += x * x;
        size_y += y * y;
    }
    // Below this, variance is rounding.
    let varies = xx > 1e-24 * size_x && yy > 1e-24 * size_y;
    varies.then(|| (xy / (xx * yy).sqrt()).clamp(-1.0, 1.0)).filter(|r| r.is_finite())
}

fn mean_absolute_error(x: &[f64], y: &[f64]) -> Option<f64> {
    mean(&x.iter().zip(y).map(|(x, y)| (x - y).abs()).collect::<Vec<_>>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_of_the_table_are_those_of_the_struct() {
        let (table, own) = (EvaluateOptions::from_options(&Options::new()).unwrap(), EvaluateOptions::default());
        let text = |o: &EvaluateOptions| format!("{o:?}").replace(char::is_whitespace, "");
        assert_eq!(text(&table), text(&own));
    }
    use crate::panel::samples::{Sample, Samples};
    use crate::panel::sites::Site;
    use crate::progress::{Cancel, Event};

    pub(super) fn random_bits(rows: usize, columns: usize, number: u64) -> BitMatrix {
        let mut words = Stream::new(17, Purpose::Evaluate, number).reader(0);
        BitMatrix::from_fn(rows, columns, |_, _| words.word() & 1 == 1).unwrap()
    }

    pub(super) fn distance(a: &BitMatrix, i: usize, b: &BitMatrix, j: usize) -> u32 {
        (0..a.columns()).filter(|c| a.get(i, *c) != b.get(j, *c)).count() as u32
    }

    pub(super) fn sites(places: &[(&str, u64)]) -> Sites {
        let site = |(contig, position): &(&str, u64)| Site {
            contig: (*contig).into(),
            position: *position,
            id: "".into(),
            reference: "A".into(),
            alternate: "C".into(),
        };
        Sites::new(places.iter().map(site).collect()).unwrap()
    }

    pub(super) fn panel(sites: Sites, bits: BitMatrix) -> Panel {
        Panel::artificial(sites, bits, "X").unwrap()
    }

    fn places(n: u64) -> Sites {
        sites(&(0..n).map(|i| ("1", 10 * i + 1)).collect::<Vec<_>>())
    }

    fn labelled(panel: &Panel) -> Panel {
        let sample = |i: usize| Sample { name: format!("P{i}"), ploidy: 2, label: Some(["A", "B"][i % 2].to_string()) };
        panel.with_samples(Samples::new((0..panel.samples().len()).map(sample).collect()).unwrap()).unwrap()
    }

    #[test]
    fn a_panel_against_itself_is_perfect_and_leaks_everything() {
        let real = labelled(&panel(places(30), random_bits(40, 30, 1)));
        let held_out = panel(places(30), random_bits(20, 30, 2));
        let options = EvaluateOptions { gaps: true, triplets: 100, ..Default::default() };
        let e = evaluate(&real, &real, Some(&held_out), &options, &mut Progress::none()).unwrap();
        let near = |name: &str, value: f64| {
            let found = e.get(name).unwrap_or_else(|| panic!("{name}"));
            assert!((found - value).abs() < 1e-9, "{name}: {found}, not {value}");
        };
        ["frequency_r", "frequency_r_low", "ld_r", "three_point_r", "three_point_r_gap_4", "exact_copies_share"]
            .iter()
            .filter(|name| e.get(name).is_some())
            .for_each(|name| near(name, 1.0));
        ["frequency_mae", "fixed_sites", "fixed_share", "ld_decay_mae", "pairwise_w1_within", "nearest_real_q05"]
            .iter()
            .for_each(|name| near(name, 0.0));
        near("exact_copies", 40.0);
        assert!(e.get("share_max_difference").is_some() && e.get("share_A").is_some());
        assert!(e.get("privacy_loss").unwrap() > 0.0);
        ["nearest_auc", "nearest_advantage", "longest_run_auc", "longest_run_advantage", "covering_runs_auc"]
            .iter()
            .for_each(|n| near(n, 1.0));
        assert_eq!(e.get("three_point_r_gap_1024"), None);
        assert!(e.measure("three_point_r_gap_1024").unwrap().note.is_some());
        let aats = e.measure("aats").unwrap();
        assert_eq!((aats.n, aats.floor_n), ([20, 20], Some([20, 20])));
        assert!(aats.sd.is_some() && aats.floor.is_some());
        assert!(e.measures.iter().all(|m| m.value.is_none_or(f64::is_finite)));
        let mut names: Vec<&str> = e.measures.iter().map(|m| m.name.as_str()).collect();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), e.measures.len());
    }

    #[test]
    fn results_do_not_depend_on_threads() {
        let real = labelled(&panel(places(90), random_bits(200, 90, 1)));
        let artificial = panel(places(90), random_bits(150, 90, 2));
        let run = |threads| {
            let options = EvaluateOptions { threads, aats_most: 60, ..Default::default() };
            evaluate(&real, &artificial, None, &options, &mut Progress::none()).unwrap()
        };
        let one = run(Threads::single());
        assert_eq!(one, run(Threads::new(3)));
        assert!(one.measures.iter().all(|m| m.floor.is_none()));
        assert_eq!((one.get("privacy_loss"), one.get("longest_run_auc")), (None, None));
    }

    #[test]
    fn panels_too_small_for_a_metric_give_nulls_not_nan() {
        let tiny = panel(places(1), BitMatrix::zeros(2, 1).unwrap());
        let e = evaluate(&tiny, &tiny, Some(&tiny), &EvaluateOptions::default(), &mut Progress::none()).unwrap();
        assert_eq!(e.get("ld_r"), None);
        assert_eq!(e.get("frequency_r"), None);
        assert_eq!(e.get("exact_copies"), Some(2.0));
        for m in &e.measures {
            assert!(m.value.is_some() || m.note.is_some(), "{}", m.name);
        }
        assert!(!e.to_json().to_string().contains("NaN"));
        assert!(e.to_table().contains("not defined here"));
    }

    #[test]
    fn differing_sites_are_told_and_a_wish_to_stop_is_heard() {
        let real = panel(places(12), random_bits(8, 12, 1));
        let artificial = real.select_sites(&(2..12).collect::<Vec<_>>()).unwrap();
        let mut notices = Vec::new();
        let mut report = |event: &Event| {
            if let Event::Notice(text) = event {
                notices.push(text.clone());
            }
        };
        let options = EvaluateOptions::default();
        let e = evaluate(&real, &artificial, None, &options, &mut Progress::new(&mut report, Cancel::new())).unwrap();
        assert_eq!(e.sites, 10);
        assert_eq!(notices, ["of the sites (12 real, 10 artificial), the 10 that all panels have are compared"]);
        let cancel = Cancel::new();
        cancel.cancel();
        let stopped = evaluate(&real, &artificial, None, &options, &mut Progress::new(&mut |_| (), cancel));
        assert_eq!(stopped.unwrap_err().kind(), crate::ErrorKind::Cancelled);
        let bad = EvaluateOptions { aats_draws: 0, ..options };
        assert!(evaluate(&real, &artificial, None, &bad, &mut Progress::none()).is_err());
    }

    #[test]
    fn correlation_needs_variance() {
        assert_eq!(pearson(&[0.1; 7], &[0.1, 0.2, 0.3, 0.1, 0.1, 0.1, 0.1]), None);
        assert_eq!(pearson(&[], &[]), None);
        assert!((pearson(&[1.0, 2.0, 4.0], &[3.0, 5.0, 9.0]).unwrap() - 1.0).abs() < 1e-15);
        assert_eq!(standard_deviation(&[1.0, 3.0]), Some(2f64.sqrt()));
    }
}
