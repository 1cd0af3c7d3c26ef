//! A scenario: servers and the traffic that comes to them, read from TOML.

use crate::config::section::{Section, Value, boolean, positive_duration, string, whole, wrong_type};
use crate::config::{self, units};
use crate::diagnostic::{Diagnostic, Result, Source};
use divvy::Instant;
use divvy::fixed::Q32;
use divvy::sim::dispatch::{Arrivals, Config, Fault, Information, Keys, Outage, Server, Service};
use std::path::Path;
use std::time::Duration;
use toml::de::DeValue;

/// What is simulated, apart from the policies.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    pub(crate) name: String,
    pub(crate) config: Config,
    pub(crate) requests: u64,
    pub(crate) servers: Vec<Named>,
    pub(crate) dispatchers: u32,
    /// How long a member that joins gets less than its share.
    pub(crate) slow_start: Option<Duration>,
    /// When callers give up.
    pub(crate) patience: Option<Duration>,
    /// What a request takes on a server of speed 1.
    pub(crate) mean: Duration,
}

/// A server and what it is called.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub(crate) name: String,
    pub(crate) server: Server,
    pub(super) weight: u32,
    /// Requests a second that it can serve from the beginning.
    capacity: f64,
}

impl Named {
    /// A server like any other.
    pub(super) fn plain(name: String) -> Self {
        Self { name, server: Server::new(), weight: 1, capacity: 0.0 }
    }
}

/// What runs when no file is given.
pub(crate) const DEFAULT: &str = include_str!("default.toml");

const FORM: &str = "[traffic] and [[server]] are its sections";
const TOP: [&str; 3] = ["scenario", "traffic", "server"];
const SCENARIO: [&str; 9] = [
    "name",
    "requests",
    "warm_up",
    "dispatchers",
    "information",
    "timeout",
    "network",
    "idle_reports",
    "slow_start",
];
const TRAFFIC: [&str; 5] = ["load", "rate", "arrivals", "service", "keys"];
const SERVER: [&str; 15] = [
    "name",
    "count",
    "speed",
    "slots",
    "weight",
    "zone",
    "queue",
    "failures",
    "black_hole",
    "service",
    "joins",
    "leaves",
    "outage",
    "warm_up",
    "warm_up_from",
];

/// The most servers, dispatchers and requests that a scenario may have.
const MOST_SERVERS: u64 = 10_000;
const MOST_REQUESTS: u64 = 100_000_000;

impl Scenario {
    pub(super) fn parse(source: &Source, name: String) -> Result<Self> {
        parse(source, name)
    }

    pub(super) fn empty(name: String) -> Self {
        Self {
            name,
            config: Config::new(),
            requests: 100_000,
            servers: vec![],
            dispatchers: 1,
            slow_start: None,
            patience: None,
            mean: Duration::from_millis(10),
        }
    }

    pub(crate) fn example() -> Result<Self> {
        parse(&Source::new(Path::new("the example"), DEFAULT.to_owned()), "example".to_owned())
    }
}

fn parse(source: &Source, name: String) -> Result<Scenario> {
    let text = source.text.clone();
    let table = config::toml(source, &text, FORM)?;
    let top = Section { source, name: String::new(), table: table.get_ref(), span: table.span() };
    top.only(&TOP)?;
    let mut scenario = Scenario::empty(name);
    let mut warm_up = None;
    if let Some(section) = top.section("scenario")? {
        warm_up = read_scenario(&mut scenario, &section)?;
    }
    let Some(traffic) = top.section("traffic")? else {
        return Err(source.error(0..0, "the scenario has no traffic").help("add:\n[traffic]\nload = 0.8"));
    };
    traffic.only(&TRAFFIC)?;
    let service = match traffic.get("service") {
        Some(value) => read_service(source, value)?,
        None => Service::exponential(Duration::from_millis(10)),
    };
    scenario.mean = service.mean();
    read_servers(&mut scenario, &top, service)?;
    let arrivals = read_arrivals(&scenario, &traffic)?;
    let mut keys = Keys::None;
    if let Some(value) = traffic.get("keys") {
        keys = read_keys(&traffic, value)?;
    }
    let warm_up = warm_up.unwrap_or(scenario.requests / 10);
    scenario.config = scenario
        .config
        .service(service)
        .arrivals(arrivals)
        .keys(keys)
        .requests(scenario.requests)
        .warm_up(warm_up);
    Ok(scenario)
}

fn read_scenario(scenario: &mut Scenario, section: &Section<'_>) -> Result<Option<u64>> {
    section.only(&SCENARIO)?;
    let source = section.source;
    let mut warm_up = None;
    if let Some(value) = section.get("name") {
        scenario.name = string(source, "name", value)?.to_owned();
    }
    if let Some(value) = section.get("requests") {
        scenario.requests = whole(source, "requests", value, 1, MOST_REQUESTS)?;
    }
    if let Some(value) = section.get("warm_up") {
        let first = whole(source, "warm_up", value, 0, MOST_REQUESTS)?;
        if first >= scenario.requests {
            return Err(source
                .error(value.span(), format!("the warm-up takes all {} requests", scenario.requests))
                .help("use fewer requests for it than there are; a tenth is the default"));
        }
        warm_up = Some(first);
    }
    if let Some(value) = section.get("dispatchers") {
        scenario.dispatchers = whole(source, "dispatchers", value, 1, 1_000)? as u32;
    }
    if let Some(value) = section.get("information") {
        scenario.config = scenario.config.information(read_information(section, value)?);
    }
    if let Some(value) = section.get("timeout") {
        let patience = time(source, "timeout", value)?;
        scenario.config = scenario.config.timeout(patience);
        scenario.patience = Some(patience);
    }
    if let Some(value) = section.get("network") {
        scenario.config = scenario.config.network(time(source, "network", value)?);
    }
    if let Some(value) = section.get("idle_reports") {
        scenario.config = scenario.config.idle_reports(boolean(source, "idle_reports", value)?);
    }
    if let Some(value) = section.get("slow_start") {
        scenario.slow_start = Some(time(source, "slow_start", value)?);
    }
    Ok(warm_up)
}

fn read_information(section: &Section<'_>, value: &Value<'_>) -> Result<Information> {
    let source = section.source;
    let wanted = "\"own\", \"answers\" or { every = \"100ms\" }";
    match value.get_ref() {
        DeValue::String(text) if text == "own" => Ok(Information::Own),
        DeValue::String(text) if text == "answers" => Ok(Information::Answers),
        DeValue::Table(_) => {
            let table = section.nested("information", value, wanted)?;
            table.only(&["every"])?;
            let every = table.get("every").ok_or_else(|| lacks(source, value, "every", wanted))?;
            Ok(Information::Snapshot { every: time(source, "every", every)? })
        }
        _ => Err(wrong_type(source, "information", value, wanted)),
    }
}

fn read_arrivals(scenario: &Scenario, traffic: &Section<'_>) -> Result<Arrivals> {
    let source = traffic.source;
    let gap = match (traffic.get("load"), traffic.get("rate")) {
        (Some(load), None) => gap_at_load(scenario, source, load)?,
        (None, Some(rate)) => {
            let text = string(source, "rate", rate)?;
            let (count, per) = units::rate(text).ok_or_else(|| {
                source
                    .error(rate.span(), format!("`{text}` is not a rate"))
                    .help("write requests per time: \"900/s\"")
            })?;
            per / count.get()
        }
        (Some(_), Some(rate)) => {
            return Err(source
                .error(rate.span(), "the traffic has both a load and a rate")
                .help("keep one: load is the share of what the servers can do, rate is requests per time"));
        }
        (None, None) => {
            return Err(source
                .error(traffic.span.clone(), "how much traffic is there?")
                .help("add `load = 0.8` or `rate = \"900/s\"`"));
        }
    };
    if gap.is_zero() {
        return Err(source
            .error(traffic.span.clone(), "requests come less than a nanosecond apart")
            .help("use a smaller rate or load, or longer service times"));
    }
    let Some(value) = traffic.get("arrivals") else { return Ok(Arrivals::Poisson { gap }) };
    let wanted = "\"poisson\", \"constant\" or { on = \"2s\", off = \"8s\" }";
    match value.get_ref() {
        DeValue::String(text) if text == "poisson" => Ok(Arrivals::Poisson { gap }),
        DeValue::String(text) if text == "constant" => Ok(Arrivals::Constant { gap }),
        DeValue::Table(_) => {
            let table = traffic.nested("arrivals", value, wanted)?;
            table.only(&["on", "off"])?;
            let part = |key: &str| {
                let part = table.get(key).ok_or_else(|| lacks(source, value, key, wanted))?;
                time(source, key, part)
            };
            let (on, off) = (part("on")?, part("off")?);
            // The load is that of the whole; within a burst requests come closer.
            let gap = gap.mul_f64(on.as_secs_f64() / (on + off).as_secs_f64());
            Ok(Arrivals::Bursts { gap, on, off })
        }
        _ => Err(wrong_type(source, "arrivals", value, wanted)),
    }
}

/// The time between requests at which the servers that are there from the beginning work for `load` of their time.
fn gap_at_load(scenario: &Scenario, source: &Source, value: &Value<'_>) -> Result<Duration> {
    let load = fraction(source, "load", value, 100)?;
    let capacity: f64 = scenario.servers.iter().map(|named| named.capacity).sum();
    let per_second = capacity * (load.to_bits() as f64 / 2f64.powi(32));
    Duration::try_from_secs_f64(1.0 / per_second).map_err(|_| {
        source
            .error(value.span(), "this load comes to no traffic at all")
            .help("use a load above 0, and servers that are there from the beginning")
    })
}

fn read_keys(traffic: &Section<'_>, value: &Value<'_>) -> Result<Keys> {
    let source = traffic.source;
    let wanted =
        "{ uniform = 1000 }, { zipf = 1.1, of = 10000 } or { hot = 0.9, of = 10000, every = \"10s\" }";
    let table = traffic.nested("keys", value, wanted)?;
    let number = |key: &str| {
        let number = table.get(key).ok_or_else(|| lacks(source, value, key, wanted))?;
        whole(source, key, number, 1, u32::MAX.into()).map(|number| number as u32)
    };
    if let Some(exponent) = table.get("zipf") {
        table.only(&["zipf", "of"])?;
        return Ok(Keys::Zipf { keys: number("of")?, exponent: fraction(source, "zipf", exponent, 8)? });
    }
    if let Some(share) = table.get("hot") {
        table.only(&["hot", "of", "every"])?;
        let every = table.get("every").map_or(Ok(Duration::MAX), |value| time(source, "every", value))?;
        return Ok(Keys::Hot { keys: number("of")?, share: fraction(source, "hot", share, 1)?, every });
    }
    table.only(&["uniform"])?;
    Ok(Keys::Uniform { keys: number("uniform")? })
}

pub(super) fn read_service(source: &Source, value: &Value<'_>) -> Result<Service> {
    let wanted = "\"10ms\", { exponential = \"10ms\" }, { uniform = [\"5ms\", \"15ms\"] }, \
                  { pareto = [\"1ms\", \"1s\"], shape = 1.5 } or { bimodal = [\"1ms\", \"100ms\"], share = 0.01 }";
    let table = match value.get_ref() {
        DeValue::String(_) => return Ok(Service::constant(time(source, "service", value)?)),
        DeValue::Table(table) => table,
        _ => return Err(wrong_type(source, "service", value, wanted)),
    };
    let section = Section { source, name: "service".to_owned(), table, span: value.span() };
    let pair = |key: &str, value: &Value<'_>| match value.get_ref().as_array() {
        Some(array) if array.len() == 2 => Ok((time(source, key, &array[0])?, time(source, key, &array[1])?)),
        _ => Err(wrong_type(source, key, value, "the shorter and the longer time: [\"1ms\", \"1s\"]")),
    };
    let refused = |error: divvy::sim::dispatch::ServiceError| {
        let text = error.to_string();
        let (message, help) = text.split_once("; ").unwrap_or((&text, wanted));
        source.error(value.span(), message).help(help)
    };
    if let Some(mean) = section.get("exponential") {
        section.only(&["exponential"])?;
        return Ok(Service::exponential(time(source, "exponential", mean)?));
    }
    if let Some(bounds) = section.get("uniform") {
        section.only(&["uniform"])?;
        let (least, most) = pair("uniform", bounds)?;
        return Service::uniform(least, most).map_err(refused);
    }
    if let Some(bounds) = section.get("pareto") {
        section.only(&["pareto", "shape"])?;
        let (least, most) = pair("pareto", bounds)?;
        let shape = section.get("shape").ok_or_else(|| lacks(source, value, "shape", wanted))?;
        return Service::pareto(least, most, fraction(source, "shape", shape, 64)?).map_err(refused);
    }
    if let Some(bounds) = section.get("bimodal") {
        section.only(&["bimodal", "share"])?;
        let (short, long) = pair("bimodal", bounds)?;
        let share = section.get("share").ok_or_else(|| lacks(source, value, "share", wanted))?;
        return Service::bimodal(short, long, fraction(source, "share", share, 1)?).map_err(refused);
    }
    section.only(&["exponential", "uniform", "pareto", "bimodal"])?;
    Err(source.error(value.span(), "which distribution is it?").help(format!("write {wanted}")))
}

fn read_servers(scenario: &mut Scenario, top: &Section<'_>, service: Service) -> Result<()> {
    let source = top.source;
    let add = "add:\n[[server]]\ncount = 10";
    let Some(value) = top.get("server") else {
        return Err(source.error(0..0, "the scenario has no server").help(add));
    };
    let Some(array) = value.get_ref().as_array() else {
        return Err(wrong_type(source, "server", value, "tables").help("write [[server]], with two brackets"));
    };
    for value in array.iter() {
        let Some(table) = value.get_ref().as_table() else {
            return Err(
                wrong_type(source, "server", value, "tables").help("write [[server]], with two brackets")
            );
        };
        let section = Section { source, name: "server".to_owned(), table, span: value.span() };
        read_server(scenario, &section, service)?;
    }
    if scenario.servers.is_empty() {
        return Err(source.error(value.span(), "the scenario has no server").help(add));
    }
    Ok(())
}

fn read_server(scenario: &mut Scenario, section: &Section<'_>, service: Service) -> Result<()> {
    section.only(&SERVER)?;
    let source = section.source;
    let number = |key: &str, least: u64, most: u64| {
        section
            .get(key)
            .map(|value| whole(source, key, value, least, most).map(|number| number as u32))
            .transpose()
    };
    let mut server = Server::new();
    let mut speed = Q32::ONE;
    if let Some(value) = section.get("speed") {
        speed = fraction(source, "speed", value, 1_000_000)?;
        if speed.to_bits() < 1 << 12 {
            return Err(source
                .error(value.span(), "this server is too slow to ever answer")
                .help("use a speed of at least 0.000001"));
        }
        server = server.speed(speed);
    }
    let weight = number("weight", 0, 1_000_000)?.unwrap_or(1);
    let slots = number("slots", 1, 100_000)?.unwrap_or(1);
    server = server.slots(slots).weight(weight);
    if let Some(zone) = number("zone", 0, u16::MAX.into())? {
        server = server.zone(zone as u16);
    }
    if let Some(limit) = number("queue", 0, u32::MAX.into())? {
        server = server.queue_limit(limit);
    }
    if let Some(value) = section.get("failures") {
        server = server.failure_rate(fraction(source, "failures", value, 1)?);
    }
    if let Some(value) = section.get("black_hole")
        && boolean(source, "black_hole", value)?
    {
        server = server.black_hole();
    }
    let mut mean = service.mean();
    if let Some(value) = section.get("service") {
        let service = read_service(source, value)?;
        mean = service.mean();
        server = server.service(service);
    }
    let mut there = true;
    if let Some(value) = section.get("joins") {
        server = server.joins_at(Instant::ZERO.saturating_add(time(source, "joins", value)?));
        there = false;
    }
    if let Some(value) = section.get("leaves") {
        server = server.leaves_at(Instant::ZERO.saturating_add(time(source, "leaves", value)?));
    }
    if let Some(value) = section.get("warm_up") {
        let floor = section
            .get("warm_up_from")
            .map_or(Ok(Q32::from_bits(1 << 32 >> 3)), |value| fraction(source, "warm_up_from", value, 1))?;
        if floor.to_bits() < 1 << 22 {
            return Err(source
                .error(value.span(), "a cold server must do some work")
                .help("use at least 0.001 for warm_up_from"));
        }
        server = server.warm_up(time(source, "warm_up", value)?, floor);
    }
    if let Some(value) = section.get("outage") {
        server = server.outage(read_outage(section, value)?);
    }
    let count = number("count", 1, MOST_SERVERS)?.unwrap_or(1);
    if scenario.servers.len() as u64 + u64::from(count) > MOST_SERVERS {
        return Err(source
            .error(section.span.clone(), format!("there are more than {MOST_SERVERS} servers"))
            .help("use fewer"));
    }
    let capacity = if there {
        speed.to_bits() as f64 / 2f64.powi(32) * f64::from(slots) / mean.as_secs_f64()
    } else {
        0.0
    };
    let given = section
        .get("name")
        .map(|value| string(source, "name", value).map(|name| (name, value.span())))
        .transpose()?;
    for i in 1..=count {
        let name = match &given {
            Some((name, _)) if count == 1 => (*name).to_owned(),
            Some((name, _)) => format!("{name}-{i}"),
            None => format!("server-{}", scenario.servers.len() + 1),
        };
        if name.is_empty() || scenario.servers.iter().any(|other| other.name == name) {
            let at = given.as_ref().map_or(section.span.clone(), |(_, span)| span.clone());
            return Err(source
                .error(at, format!("a server cannot be called `{name}`"))
                .help("give each server a name of its own"));
        }
        scenario.servers.push(Named { name, server, weight, capacity });
    }
    Ok(())
}

fn read_outage(server: &Section<'_>, value: &Value<'_>) -> Result<Outage> {
    let source = server.source;
    let wanted = "{ from = \"10s\", until = \"20s\", as = \"down\" }; as is \"down\", \"black-hole\", \"frozen\" or { slow = 0.1 }";
    let table = server.nested("outage", value, wanted)?;
    table.only(&["from", "until", "as", "noticed"])?;
    let get = |key: &str| table.get(key).ok_or_else(|| lacks(source, value, key, wanted));
    let instant = |key: &str| time(source, key, get(key)?).map(|time| Instant::ZERO.saturating_add(time));
    let (from, until) = (instant("from")?, instant("until")?);
    if until <= from {
        return Err(source
            .error(value.span(), "this outage ends before it begins")
            .help("exchange `from` and `until`"));
    }
    let how = get("as")?;
    let fault = match how.get_ref() {
        DeValue::String(text) if text == "down" => Fault::Down,
        DeValue::String(text) if text == "black-hole" => Fault::BlackHole,
        DeValue::String(text) if text == "frozen" => Fault::Frozen,
        DeValue::Table(_) => {
            let slow = table.nested("as", how, wanted)?;
            slow.only(&["slow"])?;
            let speed = slow.get("slow").ok_or_else(|| lacks(source, how, "slow", wanted))?;
            let speed = fraction(source, "slow", speed, 1)?;
            if speed.to_bits() < 1 << 12 {
                return Err(source
                    .error(how.span(), "this is too slow to ever answer")
                    .help("use at least 0.000001, or \"frozen\""));
            }
            Fault::Slow { speed }
        }
        _ => {
            return Err(wrong_type(
                source,
                "as",
                how,
                "\"down\", \"black-hole\", \"frozen\" or { slow = 0.1 }",
            ));
        }
    };
    let outage = Outage::new(from, until, fault);
    match table.get("noticed") {
        Some(value) => Ok(outage.noticed(time(source, "noticed", value)?)),
        None => Ok(outage),
    }
}

pub(super) fn lacks(source: &Source, value: &Value<'_>, key: &str, wanted: &str) -> Box<Diagnostic> {
    source.error(value.span(), format!("`{key}` is missing here")).help(format!("write {wanted}"))
}

pub(super) fn time(source: &Source, key: &str, value: &Value<'_>) -> Result<Duration> {
    positive_duration(source, key, value)
}

/// A number from 0 to `most`, exactly as it is written.
pub(super) fn fraction(source: &Source, key: &str, value: &Value<'_>, most: u32) -> Result<Q32> {
    let text = match value.get_ref() {
        DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
        DeValue::Float(number) => number.as_str(),
        _ => return Err(wrong_type(source, key, value, &format!("a number from 0 to {most}"))),
    };
    decimal(text).filter(|number| *number <= Q32::from_int(most)).ok_or_else(|| {
        source
            .error(value.span(), format!("`{key}` cannot be {text}"))
            .help(format!("it takes a number from 0 to {most}, such as 0.5"))
    })
}

/// Reads `0.25`, without a way through floats: the same on every machine, and as exact as the type is.
fn decimal(text: &str) -> Option<Q32> {
    let text = text.replace('_', "");
    let (whole, part) = text.strip_prefix('+').unwrap_or(&text).split_once('.').unwrap_or((&text, "0"));
    let digits =
        |text: &str| (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then_some(());
    digits(whole).and(digits(part))?;
    let part = &part[..part.len().min(9)];
    let rest = Q32::from_ratio(part.parse().ok()?, 10u64.pow(part.len() as u32))?;
    Q32::from_int(whole.parse().ok()?).checked_add(rest)
}
