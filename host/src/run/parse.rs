//! Reads a pipeline file. Every problem names the line and the remedy.

use super::check;
use super::pipeline::{
    CORES, Command, EnvValue, ForEach, Items, Limit, MEMORY, Pipeline, Resources, Template,
};
use super::text::Text;
use crate::config::section::{
    Section, Value, boolean, items, memory, positive_duration, signed, string, strings, whole, wrong_type,
};
use crate::config::{self, units};
use crate::diagnostic::{Diagnostic, Result, Source, suggest};
use crate::exit::Exit;
use divvy::fixed::Q32;
use divvy::limit::Quota;
use divvy::retry::Backoff;
use std::num::NonZeroU32;
use std::ops::Range;
use std::path::Path;
use std::time::Duration;
use toml::Spanned;
use toml::de::DeValue;

const TOP_KEYS: [&str; 4] = ["pipeline", "resources", "limit", "task"];
const PIPELINE_KEYS: [&str; 2] = ["name", "aging"];
const TASK_KEYS: [&str; 16] = [
    "run",
    "argv",
    "needs",
    "for_each",
    "inputs",
    "outputs",
    "env",
    "dir",
    "priority",
    "retries",
    "backoff",
    "timeout",
    "resources",
    "limit",
    "allow_failure",
    "show",
];
const FOR_EACH_KEYS: [&str; 4] = ["lines", "glob", "list", "allow_empty"];
const BACKOFF_KEYS: [&str; 3] = ["base", "cap", "factor"];

impl Pipeline {
    /// Reads and checks the pipeline file at `path`; `jobs` is how many cores there are to share.
    pub(crate) fn load(path: &Path, jobs: u64) -> Result<Self> {
        let source = config::read(path, "pipeline file").map_err(|error| {
            error.or_help("`divvy run` takes the path of a pipeline file, such as pipeline.toml")
        })?;
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let root = parent.canonicalize().map_err(|error| {
            Diagnostic::new(Exit::File, format!("cannot find the folder {}: {error}", parent.display()))
        })?;
        let mut pipeline = parse(source, &root, jobs)?;
        check::check(&mut pipeline)?;
        Ok(pipeline)
    }
}

fn parse(source: Source, root: &Path, jobs: u64) -> Result<Pipeline> {
    let text = source.text.clone();
    let table = config::toml(&source, &text, "a task begins with [task.NAME]")?;
    let top = Section { source: &source, name: String::new(), table: table.get_ref(), span: table.span() };
    top.only(&TOP_KEYS)?;

    let mut name =
        source.path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
    let mut aging = Duration::from_secs(10);
    if let Some(section) = top.section("pipeline")? {
        section.only(&PIPELINE_KEYS)?;
        if let Some(value) = section.get("name") {
            name = string(&source, "name", value)?.to_owned();
        }
        if let Some(value) = section.get("aging") {
            aging = positive_duration(&source, "aging", value)?;
        }
    }
    let resources = read_resources(&source, top.section("resources")?, jobs)?;
    let limits = read_limits(&source, top.section("limit")?)?;
    let mut pipeline = Pipeline {
        source: source.clone(),
        root: root.to_owned(),
        name,
        aging,
        tasks: vec![],
        order: vec![],
        resources,
        limits,
    };

    let Some(section) = top.section("task")? else {
        return Err(source
            .error(0..0, "the pipeline has no task")
            .help("add one:\n[task.hello]\nrun = \"echo hello\""));
    };
    let mut entries: Vec<_> = section.table.iter().collect();
    entries.sort_by_key(|(key, _)| key.span().start);
    let names: Vec<&str> = entries.iter().map(|(key, _)| key.get_ref().as_ref()).collect();
    for (key, value) in &entries {
        let name = key.get_ref();
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c)) {
            return Err(source
                .error(key.span(), format!("a task cannot be called `{name}`"))
                .help("use letters, digits, `_`, `-` and `.`"));
        }
        let Some(table) = value.get_ref().as_table() else {
            return Err(source
                .error(key.span(), format!("task `{name}` is not a table"))
                .help(format!("write [task.{name}] and its keys below")));
        };
        let section = Section { source: &source, name: format!("task.{name}"), table, span: key.span() };
        let template = read_task(&mut pipeline, &section, name, &names)?;
        pipeline.tasks.push(template);
    }
    if pipeline.tasks.is_empty() {
        return Err(source
            .error(0..0, "the pipeline has no task")
            .help("add one:\n[task.hello]\nrun = \"echo hello\""));
    }
    Ok(pipeline)
}

fn read_resources(source: &Source, section: Option<Section<'_>>, jobs: u64) -> Result<Resources> {
    let mut resources = Resources {
        names: vec!["cores".into(), "memory".into()],
        totals: vec![jobs, machine_memory().unwrap_or(0)],
    };
    for (key, value) in section.iter().flat_map(Section::in_order) {
        match key.get_ref().as_ref() {
            "cores" => {
                return Err(source
                    .error(key.span(), "cores are not declared in [resources]")
                    .help("they are what `--jobs` says, the machine's by default; remove this line"));
            }
            "memory" => resources.totals[MEMORY] = memory(source, "memory", value)?,
            name => {
                resources.names.push(name.to_owned());
                resources.totals.push(whole(source, name, value, 1, u64::from(u32::MAX))?);
            }
        }
    }
    Ok(resources)
}

fn read_limits(source: &Source, section: Option<Section<'_>>) -> Result<Vec<Limit>> {
    let entries = section.iter().flat_map(Section::in_order);
    entries
        .map(|(key, value)| {
            let rate = string(source, key.get_ref(), value)?;
            let Some(quota) = quota(rate) else {
                return Err(bad_rate(source, value.span(), rate));
            };
            Ok(Limit { name: key.get_ref().to_string(), quota })
        })
        .collect()
}

fn quota(rate: &str) -> Option<Quota> {
    let (cells, per) = units::rate(rate)?;
    Quota::new(cells, per).ok()?.burst(NonZeroU32::MIN).ok()
}

fn bad_rate(source: &Source, span: Range<usize>, rate: &str) -> Box<Diagnostic> {
    source
        .error(span, format!("`{rate}` is not a rate"))
        .help("write starts per time: \"5/s\", \"100/min\", \"1/10s\"")
}

fn read_task(pipeline: &mut Pipeline, section: &Section<'_>, name: &str, names: &[&str]) -> Result<Template> {
    let source = section.source;
    section.only(&TASK_KEYS)?;
    let for_each = section.get("for_each").map(|value| read_for_each(source, value)).transpose()?;
    let text =
        |text: &str| if for_each.is_some() { Text::with_placeholders(text) } else { Text::literal(text) };
    let texts = |key: &str| -> Result<Vec<(Text, Range<usize>)>> {
        let Some(value) = section.get(key) else { return Ok(vec![]) };
        Ok(strings(source, key, value)?.into_iter().map(|(path, span)| (text(&path), span)).collect())
    };
    let (command, command_span) = read_command(section, name, text)?;

    let mut needs = Vec::new();
    let mut needs_spans = Vec::new();
    if let Some(value) = section.get("needs") {
        for (need, span) in strings(source, "needs", value)? {
            let Some(index) = names.iter().position(|&name| name == need) else {
                return Err(source
                    .error(span, format!("task `{name}` needs `{need}`, but there is no such task"))
                    .help(suggest(&need, names.iter().copied())));
            };
            if !needs.contains(&index) {
                needs.push(index);
                needs_spans.push(span);
            }
        }
    }

    let mut env = Vec::new();
    if let Some(value) = section.get("env") {
        let table = section.nested("env", value, "env = { NAME = \"value\", OTHER = true }")?;
        for (key, value) in table.in_order() {
            let variable = key.get_ref().to_string();
            if variable.is_empty() || variable.contains(['=', '\0']) {
                return Err(source
                    .error(key.span(), format!("`{variable}` cannot be the name of a variable"))
                    .help("a name has at least one character and no `=`"));
            }
            let value = match value.get_ref() {
                DeValue::String(value) if !value.contains('\0') => EnvValue::Set(text(value)),
                DeValue::Boolean(true) => EnvValue::Inherit,
                _ => {
                    return Err(wrong_type(
                        source,
                        &variable,
                        value,
                        "a text, or `true` to take it from the environment",
                    ));
                }
            };
            env.push((variable, value));
        }
        env.sort_by(|a, b| a.0.cmp(&b.0));
    }

    let dir = match section.get("dir") {
        Some(value) => Some((text(string(source, "dir", value)?), value.span())),
        None => None,
    };
    let priority =
        section.get("priority").map_or(Ok(0), |value| signed(source, "priority", value, -128, 127))?;
    let retries =
        section.get("retries").map_or(Ok(0), |value| whole(source, "retries", value, 0, 1_000_000))?;
    let tries = u32::try_from(retries + 1).unwrap_or(u32::MAX);
    let timeout =
        section.get("timeout").map(|value| positive_duration(source, "timeout", value)).transpose()?;
    let allow_failure =
        section.get("allow_failure").map_or(Ok(false), |value| boolean(source, "allow_failure", value))?;
    let shown = section.get("show").map_or(Ok(false), |value| boolean(source, "show", value))?;
    let backoff = read_backoff(section)?.attempts(NonZeroU32::new(tries).unwrap_or(NonZeroU32::MIN));
    let (demand, demand_span) = read_demand(pipeline, section)?;
    let limit = section.get("limit").map(|value| read_limit(pipeline, value)).transpose()?;

    Ok(Template {
        name: name.to_owned(),
        span: section.span.clone(),
        needs,
        needs_spans,
        command,
        command_span,
        inputs: texts("inputs")?,
        outputs: texts("outputs")?,
        env,
        dir,
        priority: (priority + 128) as u8,
        backoff,
        timeout,
        demand,
        demand_span,
        limit,
        allow_failure,
        shown,
        for_each,
    })
}

fn read_command(
    section: &Section<'_>,
    name: &str,
    text: impl Fn(&str) -> Text,
) -> Result<(Command, Range<usize>)> {
    let source = section.source;
    match (section.get("run"), section.get("argv")) {
        (Some(run), None) => {
            let script = string(source, "run", run)?;
            if script.trim().is_empty() {
                return Err(source
                    .error(run.span(), "`run` is empty")
                    .help("write the command, such as run = \"true\""));
            }
            if script.contains('\0') {
                return Err(source.error(run.span(), "`run` holds a NUL character").help("remove it"));
            }
            let script = text(script);
            let command = match script.simple_words() {
                Some(words) => Command::Simple(script, words),
                None => Command::Shell(script),
            };
            Ok((command, run.span()))
        }
        (None, Some(argv)) => {
            let words = strings(source, "argv", argv)?;
            if words.first().is_none_or(|(program, _)| program.is_empty()) {
                return Err(source
                    .error(argv.span(), "`argv` names no program")
                    .help("write the program and its arguments: argv = [\"wc\", \"-l\", \"words.txt\"]"));
            }
            if let Some((_, span)) = words.iter().find(|(word, _)| word.contains('\0')) {
                return Err(source.error(span.clone(), "`argv` holds a NUL character").help("remove it"));
            }
            Ok((Command::Argv(words.iter().map(|(word, _)| text(word)).collect()), argv.span()))
        }
        (Some(_), Some(argv)) => {
            Err(source.error(argv.span(), format!("task `{name}` has both `run` and `argv`")).help(
                "keep `run` for a shell command, or `argv` for a program and its arguments without a shell",
            ))
        }
        (None, None) => Err(source
            .error(section.span.clone(), format!("task `{name}` has no command"))
            .help("add run = \"…\" (a shell command) or argv = [\"program\", \"argument\"]")),
    }
}

fn read_for_each(source: &Source, value: &Value<'_>) -> Result<ForEach> {
    let form = "for_each = { lines = \"file\" }, { glob = \"pattern\" } or { list = [\"a\", \"b\"] }";
    let Some(table) = value.get_ref().as_table() else {
        return Err(wrong_type(source, "for_each", value, "a table").help(format!("write {form}")));
    };
    let section = Section { source, name: "for_each".into(), table, span: value.span() };
    section.only(&FOR_EACH_KEYS)?;
    let (lines, glob, list) = (section.get("lines"), section.get("glob"), section.get("list"));
    let items = match (lines, glob, list) {
        (Some(file), None, None) => Items::Lines(string(source, "lines", file)?.to_owned()),
        (None, Some(patterns), None) => {
            let patterns = strings(source, "glob", patterns)?;
            for (pattern, span) in &patterns {
                if let Err(why) = super::glob::check(pattern) {
                    return Err(source
                        .error(span.clone(), format!("`{pattern}` is not a pattern: {why}"))
                        .help("`*`, `?`, `[a-z]` and `{a,b}` match within a name, `**` matches folders"));
                }
            }
            Items::Glob(patterns.into_iter().map(|(pattern, _)| pattern).collect())
        }
        (None, None, Some(list)) => Items::List(items(source, list)?),
        _ => {
            return Err(source
                .error(value.span(), "`for_each` takes exactly one of `lines`, `glob` and `list`")
                .help(format!("write {form}")));
        }
    };
    let allow_empty =
        section.get("allow_empty").map_or(Ok(false), |value| boolean(source, "allow_empty", value))?;
    Ok(ForEach { items, span: value.span(), allow_empty })
}

fn read_backoff(section: &Section<'_>) -> Result<Backoff> {
    let source = section.source;
    let mut base = Duration::from_secs(1);
    let mut cap = Duration::from_secs(60);
    let mut factor = None;
    let value = section.get("backoff");
    if let Some(value) = value {
        let table =
            section.nested("backoff", value, "backoff = { base = \"1s\", cap = \"1m\", factor = 2 }")?;
        table.only(&BACKOFF_KEYS)?;
        if let Some(value) = table.get("base") {
            base = positive_duration(source, "base", value)?;
            cap = cap.max(base);
        }
        if let Some(value) = table.get("cap") {
            cap = positive_duration(source, "cap", value)?;
        }
        if let Some(value) = table.get("factor") {
            factor = Some(Q32::from_int(whole(source, "factor", value, 1, 1_000)? as u32));
        }
    }
    let wrong = |why: String| {
        let span = value.map_or(section.span.clone(), Spanned::span);
        source
            .error(span, format!("this back-off cannot be: {why}"))
            .help("`cap` is at least `base`, `factor` at least 1")
    };
    let backoff = Backoff::new(base, cap).map_err(|error| wrong(error.to_string()))?;
    match factor {
        Some(factor) => backoff.factor(factor).map_err(|error| wrong(error.to_string())),
        None => Ok(backoff),
    }
}

fn read_demand(pipeline: &Pipeline, section: &Section<'_>) -> Result<(Vec<u64>, Range<usize>)> {
    let (source, resources) = (section.source, &pipeline.resources);
    let mut demand = vec![0; resources.names.len()];
    demand[CORES] = 1;
    let Some(value) = section.get("resources") else { return Ok((demand, section.span.clone())) };
    let table = section.nested("resources", value, "resources = { cores = 2, memory = \"4GiB\" }")?;
    for (key, value) in table.in_order() {
        let name = key.get_ref();
        let Some(index) = resources.names.iter().position(|known| known == name) else {
            return Err(source.error(key.span(), format!("there is no resource `{name}`")).help(format!(
                "{}; a counter of your own is declared as\n[resources]\n{name} = 1",
                suggest(name, resources.names.iter().map(String::as_str))
            )));
        };
        demand[index] = if index == MEMORY {
            memory(source, name, value)?
        } else {
            whole(source, name, value, 0, u64::from(u32::MAX))?
        };
    }
    Ok((demand, value.span()))
}

fn read_limit(pipeline: &mut Pipeline, value: &Value<'_>) -> Result<usize> {
    let source = &pipeline.source;
    let name = string(source, "limit", value)?;
    if let Some(index) = pipeline.limits.iter().position(|limit| limit.name == name) {
        return Ok(index);
    }
    if name.contains('/') {
        let Some(quota) = quota(name) else { return Err(bad_rate(source, value.span(), name)) };
        // A rate written in a task is the task's own, so it gets a name that no other one can have.
        pipeline.limits.push(Limit { name: format!("{name} at {}", value.span().start), quota });
        return Ok(pipeline.limits.len() - 1);
    }
    let names: Vec<&str> =
        pipeline.limits.iter().map(|limit| limit.name.as_str()).filter(|n| !n.contains('/')).collect();
    Err(source
        .error(value.span(), format!("there is no limit `{name}`"))
        .help(format!("{}; a limit is declared as\n[limit]\n{name} = \"5/s\"", suggest(name, names))))
}

/// The bytes of memory of this machine, where the system says so.
fn machine_memory() -> Option<u64> {
    let info = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = info.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
pub(crate) use tests::{read, refused};

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    pub(crate) fn read(text: &str) -> Result<Pipeline> {
        let mut pipeline = parse(Source::new(Path::new("p.toml"), text.to_owned()), Path::new("/"), 2)?;
        check::check(&mut pipeline)?;
        Ok(pipeline)
    }

    #[track_caller]
    pub(crate) fn refused(text: &str, message: &str, help: &str) {
        let shown = read(text).expect_err("it was accepted").to_string();
        assert!(shown.contains(message) && shown.contains(help) && shown.contains("p.toml:"), "{shown}");
    }

    #[test]
    fn every_key_is_read() {
        let pipeline = read(
            r#"
            [pipeline]
            name = "all"
            aging = "3s"
            [resources]
            memory = "1GiB"
            gpu = 2
            [limit]
            api = "5/s"
            [task.list]
            run = "ls | wc"
            outputs = ["list.txt"]
            [task.each]
            needs = "list"
            argv = ["echo", "{item.stem}"]
            for_each = { lines = "list.txt" }
            inputs = ["{item}"]
            outputs = ["out/{item.name}"]
            env = { A = "{item}", PATH = true }
            dir = "/tmp"
            priority = -5
            retries = 3
            backoff = { base = "10ms", cap = "1s", factor = 3 }
            timeout = "2m"
            resources = { cores = 2, memory = "512MiB", gpu = 1 }
            limit = "api"
            allow_failure = true
            "#,
        )
        .unwrap();
        let each = &pipeline.tasks[1];
        assert_eq!(
            (pipeline.name.as_str(), pipeline.aging, pipeline.order.as_slice()),
            ("all", Duration::from_secs(3), &[0, 1][..])
        );
        assert_eq!((each.priority, each.limit, each.allow_failure), (123, Some(0), true));
        assert_eq!(each.demand, [2, 512 << 20, 1]);
        assert_eq!(pipeline.resources.totals, [2, 1 << 30, 2]);
        assert_eq!(each.command.show(Some("a b.txt")), "echo 'a b'");
        assert_eq!(each.backoff.ceiling(2), Duration::from_millis(30));
        assert!(matches!(&pipeline.tasks[0].command, Command::Shell(_)));
    }

    #[test]
    fn wrong_files_are_refused_with_a_remedy() {
        refused("[task.a\nrun = 'x'", "this is not TOML", "toml.io");
        refused("[task.a]\nrun = x", "this is not TOML", "help:");
        refused("[task.a]\nrun='true'\n[task.a]\nrun='true'", "duplicate key", "written once");
        refused("", "no task", "[task.hello]");
        refused("task = 3", "`task` is a whole number", "[task]");
        refused("[tsk.a]\nrun='true'", "unknown key `tsk`", "did you mean `task`?");
        refused(
            "[task.a]\nrun='true'\nretrys=1",
            "unknown key `retrys` in [task.a]",
            "did you mean `retries`?",
        );
        refused("[task.a]\nneeds=[]", "has no command", "run = ");
        refused("[task.a]\nrun='true'\nargv=['x']", "both `run` and `argv`", "keep `run`");
        refused("[task.a]\nrun=' '", "`run` is empty", "write the command");
        refused("[task.a]\nargv=[]", "names no program", "argv = ");
        refused("[task.a]\nrun=3", "`run` is a whole number", "a text");
        refused("[task.'a:b']\nrun='true'", "cannot be called `a:b`", "letters");
        refused(
            "[task.lst]\nrun='true'\n[task.b]\nrun='true'\nneeds=['list']",
            "needs `list`, but there is no such task",
            "did you mean `lst`?",
        );
        refused("[task.a]\nrun='true'\nretries=-1", "`retries` cannot be -1", "from 0");
        refused("[task.a]\nrun='true'\npriority=200", "`priority` cannot be 200", "from -128 to 127");
        refused("[task.a]\nrun='true'\ntimeout=5", "`timeout` is a whole number", "\"30s\"");
        refused("[task.a]\nrun='true'\ntimeout='0s'", "`0s` is not a time", "\"30s\"");
        refused("[task.a]\nrun='true'\nfor_each=['a']", "`for_each` is a list", "{ list = ");
        refused("[task.a]\nrun='true'\nfor_each={}", "exactly one of", "lines");
        refused("[task.a]\nrun='true'\nfor_each={glob='[a'}", "`[a` is not a pattern", "`*`");
        refused("[task.a]\nrun='true'\nfor_each={list=['a\\n']}\nx=1", "unknown key `x`", "known: `run`");
        refused("[task.a]\nrun='true'\nlimit='api'", "there is no limit `api`", "[limit]");
        refused("[task.a]\nrun='true'\nlimit='5/x'", "`5/x` is not a rate", "\"5/s\"");
        refused("[limit]\napi='fast'\n[task.a]\nrun='true'", "`fast` is not a rate", "\"5/s\"");
        refused("[task.a]\nrun='true'\nresources={gpus=1}", "there is no resource `gpus`", "[resources]");
        refused("[resources]\ncores=3\n[task.a]\nrun='true'", "cores are not declared", "--jobs");
        refused(
            "[task.a]\nrun='true'\nbackoff={base='2s',cap='1s'}",
            "back-off cannot be",
            "`cap` is at least `base`",
        );
        refused("[task.a]\nrun='true'\nenv={A=1}", "`A` is a whole number", "`true`");
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "(\\[task\\.a\\]\n)?([a-z_]{1,9} = [\\[\\]{}\"'a-z0-9=, ]{0,12}\n){0,6}") {
            _ = read(&text);
        }
    }
}
