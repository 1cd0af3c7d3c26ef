//! A chain: services, the traffic that comes to them, and the protections to compare, read from TOML.

use crate::config::section::{Section, Value, boolean, string, whole, wrong_type};
use crate::config::{self, units};
use crate::diagnostic::{Diagnostic, Result, Source, suggest};
use crate::sim::scenario::{fraction, lacks, read_service, time};
use divvy::Instant;
use divvy::breaker::Config as BreakerConfig;
use divvy::fixed::Q32;
use divvy::limit::{Aimd, Bounds, Codel, Gradient, LoadShed, ThrottleConfig, Vegas};
use divvy::retry::{Backoff, BudgetConfig, HedgeConfig};
use divvy::sim::Arrivals;
use divvy::sim::chain::{Adaptive, Config, Discipline, Fallback, Fault, Link, Outage, Surge, Tier};
use std::fmt::Display;
use std::num::NonZeroU32;
use std::time::Duration;
use toml::de::DeValue;

/// What is simulated.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    pub(crate) about: String,
    pub(crate) config: Config,
    pub(crate) until: Instant,
    pub(crate) services: Vec<String>,
    pub(crate) protections: Vec<Protection>,
}

/// One row of the table: the chain with these protections.
#[derive(Clone, Debug)]
pub(crate) struct Protection {
    pub(crate) name: String,
    pub(crate) deadlines: bool,
    pub(crate) tiers: Vec<(Tier, Link)>,
}

/// A service as the file describes it.
struct Service {
    tier: Tier,
    link: Link,
    /// How long those that call it wait, where time-outs are on.
    timeout: Option<Duration>,
    workers: u32,
}

const FORM: &str = "[traffic], [[service]] and [[protection]] are its sections";
const TOP: [&str; 5] = ["scenario", "traffic", "users", "service", "protection"];
const SCENARIO: [&str; 2] = ["name", "about"];
const TRAFFIC: [&str; 6] = ["rate", "arrivals", "for", "warm_up", "low_priority", "surge"];
const USERS: [&str; 3] = ["timeout", "retries", "backoff"];
const SERVICE: [&str; 8] = ["name", "workers", "queue", "service", "failures", "share", "timeout", "outage"];
const PROTECTION: [&str; 15] = [
    "name",
    "extends",
    "on",
    "timeouts",
    "deadlines",
    "retries",
    "backoff",
    "budget",
    "breaker",
    "bulkhead",
    "throttle",
    "hedge",
    "codel",
    "shed",
    "fallback",
];
const MOST_SERVICES: usize = 26;

pub(crate) fn parse(source: &Source, name: String) -> Result<Scenario> {
    let text = source.text.clone();
    let table = config::toml(source, &text, FORM)?;
    let top = Section { source, name: String::new(), table: table.get_ref(), span: table.span() };
    top.only(&TOP)?;
    let mut scenario = Scenario {
        name,
        about: String::new(),
        config: Config::new(),
        until: Instant::from_secs(60),
        services: vec![],
        protections: vec![],
    };
    if let Some(section) = top.section("scenario")? {
        section.only(&SCENARIO)?;
        if let Some(value) = section.get("name") {
            scenario.name = string(source, "name", value)?.to_owned();
        }
        if let Some(value) = section.get("about") {
            scenario.about = string(source, "about", value)?.trim().to_owned();
        }
    }
    let Some(traffic) = top.section("traffic")? else {
        return Err(source
            .error(0..0, "the scenario has no traffic")
            .help("add:\n[traffic]\nrate = \"400/s\""));
    };
    read_traffic(&mut scenario, &traffic)?;
    let services = read_services(&mut scenario, &top)?;
    let users = read_users(&top)?;
    read_protections(&mut scenario, &top, &services, users)?;
    Ok(scenario)
}

fn read_traffic(scenario: &mut Scenario, traffic: &Section<'_>) -> Result<()> {
    traffic.only(&TRAFFIC)?;
    let source = traffic.source;
    let rate = traffic.get("rate").ok_or_else(|| {
        source.error(traffic.span.clone(), "how much traffic is there?").help("add `rate = \"400/s\"`")
    })?;
    let gap = read_gap(source, rate)?;
    let mut constant = false;
    if let Some(value) = traffic.get("arrivals") {
        constant = match string(source, "arrivals", value)? {
            "poisson" => false,
            "constant" => true,
            other => {
                return Err(source
                    .error(value.span(), format!("there are no arrivals `{other}`"))
                    .help(suggest(other, ["poisson", "constant"])));
            }
        };
    }
    let arrivals = |gap| if constant { Arrivals::Constant { gap } } else { Arrivals::Poisson { gap } };
    let mut config = Config::new().arrivals(arrivals(gap));
    let instant = |key: &str, value: &Value<'_>| time(source, key, value).map(after_start);
    if let Some(value) = traffic.get("for") {
        scenario.until = instant("for", value)?;
        let requests = time(source, "for", value)?.as_nanos() / gap.as_nanos().max(1);
        if requests > 50_000_000 {
            return Err(source
                .error(value.span(), format!("that comes to {requests} requests"))
                .help("use a shorter time or a smaller rate: 50 million at most"));
        }
    }
    if let Some(value) = traffic.get("warm_up") {
        let warm_up = time(source, "warm_up", value)?;
        if after_start(warm_up) >= scenario.until {
            return Err(source
                .error(value.span(), "the warm-up takes all the time")
                .help("use less for it than the traffic lasts (`for`)"));
        }
        config = config.warm_up(warm_up);
    }
    if let Some(value) = traffic.get("low_priority") {
        config = config.low_priority(fraction(source, "low_priority", value, 1)?);
    }
    if let Some(value) = traffic.get("surge") {
        let wanted = "{ from = \"10s\", until = \"20s\", rate = \"900/s\" }";
        let table = traffic.nested("surge", value, wanted)?;
        table.only(&["from", "until", "rate"])?;
        let get = |key: &str| table.get(key).ok_or_else(|| lacks(source, value, key, wanted));
        let (from, until) = (instant("from", get("from")?)?, instant("until", get("until")?)?);
        if until <= from {
            return Err(source
                .error(value.span(), "this surge ends before it begins")
                .help("exchange `from` and `until`"));
        }
        config = config.surge(Surge { from, until, arrivals: arrivals(read_gap(source, get("rate")?)?) });
    }
    scenario.config = config.until(scenario.until);
    Ok(())
}

const fn after_start(time: Duration) -> Instant {
    Instant::ZERO.saturating_add(time)
}

fn read_gap(source: &Source, value: &Value<'_>) -> Result<Duration> {
    let text = string(source, "rate", value)?;
    let gap = units::rate(text).map(|(count, per)| per / count.get()).ok_or_else(|| {
        source
            .error(value.span(), format!("`{text}` is not a rate"))
            .help("write requests per time: \"900/s\"")
    })?;
    if gap.is_zero() {
        return Err(source
            .error(value.span(), "requests come less than a nanosecond apart")
            .help("use a smaller rate"));
    }
    Ok(gap)
}

/// The tables of a list such as [[service]].
pub(in crate::sim) fn tables<'a>(top: &Section<'a>, key: &str, example: &str) -> Result<Vec<Section<'a>>> {
    let source = top.source;
    let brackets = || format!("write [[{key}]], with two brackets");
    let none = |at| {
        source.error(at, format!("the scenario has no {key}")).help(format!("add:\n[[{key}]]\n{example}"))
    };
    let value = top.get(key).ok_or_else(|| none(0..0))?;
    let array = value
        .get_ref()
        .as_array()
        .ok_or_else(|| wrong_type(source, key, value, "tables").help(brackets()))?;
    if array.is_empty() {
        return Err(none(value.span()));
    }
    let section = |value: &'a Value<'a>| {
        let table = value
            .get_ref()
            .as_table()
            .ok_or_else(|| wrong_type(source, key, value, "tables").help(brackets()))?;
        Ok(Section { source, name: key.to_owned(), table, span: value.span() })
    };
    array.iter().map(section).collect()
}

/// The text at `key`, which the table must have, and which no other has.
pub(in crate::sim) fn own_name(section: &Section<'_>, taken: &[String]) -> Result<String> {
    let source = section.source;
    let kind = &section.name;
    let Some(value) = section.get("name") else {
        return Err(source
            .error(section.span.clone(), format!("this {kind} has no name"))
            .help("add `name = \"…\"`"));
    };
    let name = string(source, "name", value)?;
    let taken = taken.iter().any(|other| other == name);
    if name.is_empty() || taken || name.chars().count() > 28 {
        return Err(source
            .error(value.span(), format!("a {kind} cannot be called `{name}`"))
            .help(format!("give each {kind} a name of its own, of 28 characters at most")));
    }
    Ok(name.to_owned())
}

pub(in crate::sim) fn count(section: &Section<'_>, key: &str, least: u64, most: u64) -> Result<Option<u32>> {
    let value = section.get(key);
    value.map(|value| whole(section.source, key, value, least, most).map(|n| n as u32)).transpose()
}

fn read_services(scenario: &mut Scenario, top: &Section<'_>) -> Result<Vec<Service>> {
    let source = top.source;
    let mut services = vec![];
    for section in tables(top, "service", "name = \"A\"\nworkers = 20")? {
        section.only(&SERVICE)?;
        if services.len() == MOST_SERVICES {
            return Err(source
                .error(section.span.clone(), format!("there are more than {MOST_SERVICES} services"))
                .help("use fewer"));
        }
        scenario.services.push(own_name(&section, &scenario.services)?);
        let workers = count(&section, "workers", 1, 100_000)?.unwrap_or(10);
        let mut tier = Tier::new().workers(workers);
        if let Some(places) = count(&section, "queue", 0, 1_000_000)? {
            tier = tier.queue(places);
        }
        if let Some(value) = section.get("service") {
            tier = tier.service(read_service(source, value)?);
        }
        if let Some(value) = section.get("failures") {
            tier = tier.failures(fraction(source, "failures", value, 1)?);
        }
        if let Some(value) = section.get("outage") {
            tier = tier.outage(read_outage(&section, value)?);
        }
        let mut link = Link::new();
        if let Some(value) = section.get("share") {
            link = link.share(fraction(source, "share", value, 1)?);
        }
        let timeout = section.get("timeout").map(|value| time(source, "timeout", value)).transpose()?;
        services.push(Service { tier, link, timeout, workers });
    }
    Ok(services)
}

fn read_outage(service: &Section<'_>, value: &Value<'_>) -> Result<Outage> {
    let source = service.source;
    let wanted = "{ as = { slow = 20 } }, with `from` and `until` if it comes and goes; \
                  as is \"down\", \"stopped\", { slow = 20 } or { failing = 0.5 }";
    let table = service.nested("outage", value, wanted)?;
    table.only(&["from", "until", "as"])?;
    let instant = |key: &str, default: Instant| match table.get(key) {
        Some(value) => time(source, key, value).map(after_start),
        None => Ok(default),
    };
    let (from, until) = (instant("from", Instant::ZERO)?, instant("until", Instant::MAX)?);
    if until <= from {
        return Err(source
            .error(value.span(), "this outage ends before it begins")
            .help("exchange `from` and `until`"));
    }
    let how = table.get("as").ok_or_else(|| lacks(source, value, "as", wanted))?;
    let fault = match how.get_ref() {
        DeValue::String(text) if text == "down" => Fault::Down,
        DeValue::String(text) if text == "stopped" => Fault::Stopped,
        DeValue::Table(_) => {
            let nested = table.nested("as", how, wanted)?;
            if let Some(factor) = nested.get("slow") {
                nested.only(&["slow"])?;
                let factor = fraction(source, "slow", factor, 1_000_000)?;
                if factor < Q32::ONE {
                    return Err(source
                        .error(how.span(), "this would be faster, not slower")
                        .help("say how many times as long the work takes: { slow = 20 }"));
                }
                Fault::Slow { factor }
            } else {
                nested.only(&["failing"])?;
                let share = nested.get("failing").ok_or_else(|| lacks(source, how, "slow", wanted))?;
                Fault::Failing { share: fraction(source, "failing", share, 1)? }
            }
        }
        _ => return Err(wrong_type(source, "as", how, wanted)),
    };
    Ok(Outage { from, until, fault })
}

fn read_users(top: &Section<'_>) -> Result<Link> {
    let mut link = Link::new();
    let Some(section) = top.section("users")? else { return Ok(link) };
    section.only(&USERS)?;
    if let Some(value) = section.get("timeout") {
        link = link.timeout(time(section.source, "timeout", value)?);
    }
    if let Some(backoff) = read_retries(&section)? {
        link = link.retry(backoff);
    }
    Ok(link)
}

fn read_retries(section: &Section<'_>) -> Result<Option<Backoff>> {
    let Some(attempts) = count(section, "retries", 0, 100)? else { return Ok(None) };
    let source = section.source;
    let base = section.get("backoff").map(|value| time(source, "backoff", value)).transpose()?;
    let base = base.unwrap_or(Duration::from_millis(20));
    let attempts = NonZeroU32::MIN.saturating_add(attempts);
    let backoff = Backoff::new(base, base.saturating_mul(16));
    backoff.map(|backoff| Some(backoff.attempts(attempts))).map_err(|error| {
        let at = section.get("backoff").map_or(section.span.clone(), |value| value.span());
        refused(source, at, &error)
    })
}

/// What the core says is wrong: message and remedy.
pub(in crate::sim) fn refused(
    source: &Source,
    at: std::ops::Range<usize>,
    error: &dyn Display,
) -> Box<Diagnostic> {
    let text = error.to_string();
    let (message, help) = text.split_once("; ").unwrap_or((text.as_str(), "change this value"));
    source.error(at, message).help(help)
}

fn read_protections(
    scenario: &mut Scenario,
    top: &Section<'_>,
    services: &[Service],
    users: Link,
) -> Result<()> {
    let source = top.source;
    let mut names: Vec<String> = vec![];
    let example = "name = \"none\"";
    for section in tables(top, "protection", example)? {
        section.only(&PROTECTION)?;
        let name = own_name(&section, &names)?;
        let mut row = match section.get("extends") {
            None => {
                let bare = |(at, service): (usize, &Service)| {
                    (service.tier, if at == 0 { users.share(Q32::ONE) } else { service.link })
                };
                let tiers = services.iter().enumerate().map(bare).collect();
                Protection { name: String::new(), deadlines: false, tiers }
            }
            Some(value) => {
                let other = string(source, "extends", value)?;
                let found = scenario.protections.iter().find(|row| row.name == other);
                found.cloned().ok_or_else(|| {
                    source
                        .error(value.span(), format!("there is no protection `{other}` above this one"))
                        .help(suggest(other, names.iter().map(String::as_str)))
                })?
            }
        };
        row.name.clone_from(&name);
        if let Some(value) = section.get("deadlines") {
            row.deadlines = boolean(source, "deadlines", value)?;
        }
        let on = read_on(&section, &scenario.services)?;
        for (at, place) in row.tiers.iter_mut().enumerate() {
            // Read for each, so that a mistake is one wherever it stands.
            let (mut tier, mut link) = *place;
            read_tier(&section, &mut tier)?;
            read_link(&section, &mut link, &services[at])?;
            if on.as_ref().is_none_or(|on| on.contains(&at)) {
                place.0 = tier;
                // What users do is theirs; a protection stands between services.
                if at > 0 || on.is_some() {
                    place.1 = link;
                }
            }
        }
        names.push(name);
        scenario.protections.push(row);
    }
    Ok(())
}

/// The services that a protection is for.
fn read_on(section: &Section<'_>, names: &[String]) -> Result<Option<Vec<usize>>> {
    let Some(value) = section.get("on") else { return Ok(None) };
    let listed = config::section::strings(section.source, "on", value)?;
    let find = |(name, span): (String, std::ops::Range<usize>)| {
        names.iter().position(|other| *other == name).ok_or_else(|| {
            section
                .source
                .error(span, format!("there is no service `{name}`"))
                .help(suggest(&name, names.iter().map(String::as_str)))
        })
    };
    listed.into_iter().map(find).collect::<Result<Vec<_>>>().map(Some)
}

fn read_tier(section: &Section<'_>, tier: &mut Tier) -> Result<()> {
    let source = section.source;
    if let Some(value) = section.get("codel") {
        let wanted = "{ target = \"20ms\", interval = \"100ms\" }";
        let table = section.nested("codel", value, wanted)?;
        table.only(&["target", "interval", "lifo"])?;
        let part = |key: &str| {
            table
                .get(key)
                .ok_or_else(|| lacks(source, value, key, wanted))
                .and_then(|part| time(source, key, part))
        };
        let codel = Codel::new(part("target")?, part("interval")?);
        *tier = tier.codel(codel.map_err(|error| refused(source, value.span(), &error))?);
        if let Some(value) = table.get("lifo")
            && boolean(source, "lifo", value)?
        {
            *tier = tier.discipline(Discipline::Adaptive);
        }
    }
    if let Some(value) = section.get("shed")
        && boolean(source, "shed", value)?
    {
        *tier = tier.shed(LoadShed::new());
    }
    Ok(())
}

fn read_link(section: &Section<'_>, link: &mut Link, service: &Service) -> Result<()> {
    let source = section.source;
    if let Some(value) = section.get("timeouts")
        && boolean(source, "timeouts", value)?
        && let Some(timeout) = service.timeout
    {
        *link = link.timeout(timeout);
    }
    if let Some(backoff) = read_retries(section)? {
        *link = link.retry(backoff);
    }
    if let Some(value) = section.get("budget") {
        let share = fraction(source, "budget", value, 10)?;
        let thousandths = (u128::from(share.to_bits()) * 1_000 + (1 << 31)) >> 32;
        *link = link.budget(BudgetConfig::new().share(thousandths as u32, 1_000).floor(1));
    }
    if let Some(value) = section.get("breaker") {
        *link = read_breaker(section, value, *link)?;
    }
    if let Some(value) = section.get("bulkhead") {
        *link = read_bulkhead(source, value, *link, service)?;
    }
    if let Some(value) = section.get("throttle") {
        let k = fraction(source, "throttle", value, 100)?;
        let config =
            ThrottleConfig::new().multiplier(k).and_then(|config| config.window(Duration::from_secs(10)));
        *link = link.throttle(config.map_err(|error| refused(source, value.span(), &error))?);
    }
    if let Some(value) = section.get("hedge") {
        let percentile = fraction(source, "hedge", value, 1)?;
        let thousandths = (u128::from(percentile.to_bits()) * 1_000 + (1 << 31)) >> 32;
        *link = link.hedge(HedgeConfig::new().percentile(thousandths as u32, 1_000));
    }
    if let Some(value) = section.get("fallback") {
        let wanted =
            "\"default\", or { cached = 0.8 } for the share of the requests for which there is an answer";
        let fallback = match value.get_ref() {
            DeValue::String(text) if text == "default" => Fallback::Default,
            DeValue::String(text) if text == "none" => Fallback::None,
            DeValue::Table(_) => {
                let table = section.nested("fallback", value, wanted)?;
                table.only(&["cached"])?;
                let share = table.get("cached").ok_or_else(|| lacks(source, value, "cached", wanted))?;
                Fallback::Cached { share: fraction(source, "cached", share, 1)? }
            }
            _ => return Err(wrong_type(source, "fallback", value, wanted)),
        };
        *link = link.fallback(fallback);
    }
    Ok(())
}

fn read_breaker(section: &Section<'_>, value: &Value<'_>, link: Link) -> Result<Link> {
    let source = section.source;
    let wanted = "{ failures = 0.5, of = 50, open = \"1s\" }";
    let table = section.nested("breaker", value, wanted)?;
    table.only(&["failures", "of", "open", "most"])?;
    let mut config = BreakerConfig::new();
    if let Some(value) = table.get("failures") {
        config = config.failure_rate(fraction(source, "failures", value, 1)?);
    }
    let open = table.get("open").map(|value| time(source, "open", value)).transpose()?;
    let open = open.unwrap_or(Duration::from_secs(1));
    let most = table.get("most").map(|value| time(source, "most", value)).transpose()?;
    config = config.open(open, most.unwrap_or(open.saturating_mul(8)), Q32::from_int(2));
    let rules = config.build().map_err(|error| refused(source, value.span(), &error))?;
    let of = count(&table, "of", 1, 128)?.unwrap_or(50);
    Ok(link.breaker(rules, of))
}

fn read_bulkhead(source: &Source, value: &Value<'_>, link: Link, service: &Service) -> Result<Link> {
    let names = ["aimd", "vegas", "gradient"];
    let DeValue::String(name) = value.get_ref() else {
        return Ok(link.bulkhead(whole(source, "bulkhead", value, 1, 1_000_000)? as u32));
    };
    // Up to four times what the service can do at once.
    let bounds = Bounds::new(1, service.workers.saturating_mul(4))
        .map_err(|error| refused(source, value.span(), &error))?;
    let adaptive = match name.as_ref() {
        "aimd" => Adaptive::Aimd(Aimd::new(bounds)),
        "vegas" => Adaptive::Vegas(Vegas::new(bounds)),
        "gradient" => Adaptive::Gradient(Gradient::new(bounds)),
        other => {
            return Err(source
                .error(value.span(), format!("there is no limit `{other}`"))
                .help(suggest(other, names)));
        }
    };
    Ok(link.adaptive(adaptive))
}
