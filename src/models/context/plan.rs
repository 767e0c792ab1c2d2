//! Which crossovers to make, so that no haplotype is copied for longer than it may be.
//!
//! A run of a haplotype goes from where the overlap of one of its crossovers begins to where its next crossover is. Each
//! haplotype thus needs crossovers at intervals, and each crossover serves two haplotypes: it is best where both need
//! it. The plan is found by coordinate descent: haplotype after haplotype gives up the crossovers that its partners can
//! do without, and chooses anew, by the cheapest path along its candidates with those that stay. Costs are shaken at
//! first, less and less: so blocks differ, and fewer passes end in poor plans.

use super::crossovers::{Candidates, Crossover, UNIT};
use crate::rng::Reader;
use std::ops::Range;

/// Passes over all haplotypes. More find little: the last two of twelve lower costs by half a percent.
const PASSES: i64 = 12;
/// How far costs are shaken in the first pass, up and down, in parts of 1024.
const HEAT: i64 = 512;
/// What each site costs that a run is too long by: as much as any crossover, so that only what cannot be helped is left.
const EXCESS: i64 = UNIT;
/// Cost where there is no way.
const NEVER: i64 = i64::MAX / 4;

/// The crossovers of a block in a contig, by site. `longest` is how long runs of each haplotype may be.
///
/// Runs at a contig's start are taken to have begun before it, by up to half of what is allowed, at random: so two
/// blocks do not cross over at the same sites.
pub fn choose<'a>(
    candidates: &'a Candidates,
    contig: &Range<usize>,
    longest: &[u32],
    random: &mut Reader,
) -> Vec<&'a Crossover> {
    let begin = |most: &u32| contig.start as i64 - random.below(*most as usize / 2 + 1) as i64;
    let mut plan = Plan {
        candidates,
        begin: longest.iter().map(begin).collect(),
        end: contig.end as i64,
        longest,
        cuts: vec![Vec::new(); longest.len()],
        stays: Vec::new(),
    };
    let mut order: Vec<usize> = (0..longest.len()).collect();
    for pass in 0..PASSES {
        random.shuffle(&mut order);
        for h in &order {
            plan.release(*h);
            plan.reroute(*h, HEAT * (PASSES - 1 - pass) / (PASSES - 1), random);
        }
    }
    let mut chosen: Vec<u32> = plan.cuts.concat();
    chosen.sort();
    // Each is there twice, once for either haplotype.
    chosen.dedup();
    chosen.into_iter().map(|c| &candidates.all[c as usize]).collect()
}

struct Plan<'a> {
    candidates: &'a Candidates,
    /// Where the first run of each haplotype begins.
    begin: Vec<i64>,
    end: i64,
    longest: &'a [u32],
    /// The crossovers of each haplotype, by site.
    cuts: Vec<Vec<u32>>,
    /// Those of the haplotype in hand that its partners need, by site.
    stays: Vec<u32>,
}

impl<'a> Plan<'a> {
    fn crossover(&self, number: u32) -> &'a Crossover {
        &self.candidates.all[number as usize]
    }

    /// What a run of `h` costs that is too long.
    fn excess(&self, h: usize, from: i64, to: i64) -> i64 {
        EXCESS * (to - from - i64::from(self.longest[h])).max(0)
    }

    /// Where the run of `h` begins that its crossover number `place` ends, and where the run ends that begins after its
    /// crossover number `next - 1`.
    fn around(&self, h: usize, place: usize, next: usize) -> (i64, i64) {
        let cuts = &self.cuts[h];
        let begin = if place == 0 { self.begin[h] } else { self.crossover(cuts[place - 1]).start() };
        (begin, cuts.get(next).map_or(self.end, |c| i64::from(self.crossover(*c).site)))
    }

    /// What excess a crossover saves `h`, whose run from `begin` to `end` it cuts in two.
    fn saves(&self, h: usize, crossover: &Crossover, (begin, end): (i64, i64)) -> i64 {
        let parts = self.excess(h, begin, crossover.site.into()) + self.excess(h, crossover.start(), end);
        self.excess(h, begin, end) - parts
    }

    /// Gives up all crossovers of `h` but those that save their other haplotype an excess.
    fn release(&mut self, h: usize) {
        self.stays.clear();
        for number in std::mem::take(&mut self.cuts[h]) {
            let crossover = self.crossover(number);
            let partner = crossover.partner(h);
            let place = self.cuts[partner].partition_point(|c| *c < number);
            if self.saves(partner, crossover, self.around(partner, place, place + 1)) > 0 {
                self.stays.push(number);
            } else {
                self.cuts[partner].remove(place);
            }
        }
    }

    /// What the haplotype in hand, `h`, pays for a crossover that its partner does not need.
    fn price(&self, h: usize, number: u32) -> i64 {
        let crossover = self.crossover(number);
        let partner = crossover.partner(h);
        let cuts = &self.cuts[partner];
        let place = cuts.partition_point(|c| *c < number);
        let around = self.around(partner, place, place);
        let site = i64::from(crossover.site);
        // Runs of the partner have to begin in the order in which they end, or one would be longer than it seems.
        let ordered = (place == 0 || crossover.start() > around.0)
            && cuts.get(place).is_none_or(|c| self.crossover(*c).start() > crossover.start())
            && [place.wrapping_sub(1), place]
                .iter()
                .all(|p| cuts.get(*p).is_none_or(|c| i64::from(self.crossover(*c).site) != site));
        match ordered {
            true => (i64::from(crossover.cost) - self.saves(partner, crossover, around)).max(1),
            false => NEVER,
        }
    }

    /// Chooses the crossovers of `h`: the cheapest path from the contig's start to its end over candidates, by way of
    /// those that stay.
    fn reroute(&mut self, h: usize, heat: i64, random: &mut Reader) {
        /// The path ends here, or came from the start.
        const NONE: usize = usize::MAX;
        let candidates = self.candidates.of_haplotype(h);
        let count = candidates.len();
        // Sites and starts side by side: the search below goes over them again and again.
        let places: Vec<(i64, i64)> = candidates
            .iter()
            .map(|c| self.crossover(*c))
            .map(|crossover| (i64::from(crossover.site), crossover.start()))
            .collect();
        let mut cheapest = vec![NEVER; count];
        let mut before = vec![NONE; count];
        let mut staying = self.stays.iter().copied().peekable();
        let mut last_stay = NONE;
        let mut end = (NEVER, NONE);
        for i in 0..=count {
            let number = candidates.get(i).copied();
            let stays = number.is_some() && staying.peek() == number.as_ref();
            let price = match number {
                None => 0,
                Some(_) if stays => 0,
                Some(c) => {
                    let shaken = (i64::from(random.word()) - (1 << 31)) * heat / 1024;
                    match self.price(h, c) {
                        NEVER => continue,
                        price => price + ((price * shaken) >> 31),
                    }
                }
            };
            let (site, start) = places.get(i).copied().unwrap_or((self.end, i64::MAX));
            let mut best = (NEVER, NONE);
            if last_stay == NONE {
                best.0 = self.excess(h, self.begin[h], site);
            }
            for p in (0..i).rev() {
                let (previous, begin) = places[p];
                let distance = site - previous;
                if distance > 0 && begin < start || p == last_stay && stays {
                    let cost = cheapest[p] + self.excess(h, begin, site);
                    if cost < best.0 {
                        best = (cost, p);
                    }
                }
                // Farther back a run would be too long, and one that stays is never passed by.
                if p == last_stay || best.1 != NONE && distance > i64::from(self.longest[h]) {
                    break;
                }
            }
            match number {
                None => end = best,
                Some(_) => {
                    (cheapest[i], before[i]) = ((best.0 + price).min(NEVER), best.1);
                    if stays {
                        last_stay = i;
                        staying.next();
                    }
                }
            }
        }
        let mut path = Vec::new();
        let mut at = end.1;
        while at != NONE {
            path.push(candidates[at]);
            at = before[at];
        }
        path.reverse();
        for number in &path {
            let cuts = &mut self.cuts[self.candidates.all[*number as usize].partner(h)];
            let place = cuts.partition_point(|c| c < number);
            if cuts.get(place) != Some(number) {
                cuts.insert(place, *number);
            }
        }
        self.cuts[h] = path;
    }
}
