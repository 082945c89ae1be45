//! Configurations that are wrong: each starts nothing and is shown at its place.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::Write;
use std::process::Command;
use std::time::Instant;

use pinring::config::{Config, parse};
use pinring::topology::Topology;

const SOURCE: &str =
    "[[source]]\nname = \"gps\"\ntype = \"serial\"\nport = \"/dev/ttyX\"\nframe = { type = \"line\", max = 80 }\n";
const SINK: &str = "[[sink]]\nname = \"log\"\ntype = \"stdout\"\ninput = \"gps\"\n";

/// What is shown for a text, by the parser or by the plan; `None` if all is well.
fn shown(text: &str) -> Option<String> {
    let mut config: Config = match parse(text, "f.toml") {
        Ok(config) => config,
        Err(error) => return Some(error.to_string()),
    };
    let planned = config.graph.plan(&Topology::detect().unwrap());
    let checked = planned.and_then(|plan| plan.memory(Some(1 << 30)));
    checked.err().map(|error| config.source.explain(&error).to_string())
}

/// Name, text, place, and pieces of what is shown.
fn wrong() -> Vec<(&'static str, String, &'static str, Vec<&'static str>)> {
    let source = |change: (&str, &str)| format!("{}{SINK}", SOURCE.replace(change.0, change.1));
    let node = |text: &str| format!("{SOURCE}{text}");
    vec![
        ("syntax", "[[source]\n".into(), "1:10", vec!["no valid TOML"]),
        ("a value without quotes", source(("\"serial\"", "serial")), "3:8", vec!["no valid TOML"]),
        ("an unknown section", format!("{SOURCE}{SINK}[sources]\n"), "10:2", vec!["unknown key `sources`", "`source`"]),
        ("a section of the wrong kind", "source = 3\n".into(), "1:10", vec!["a list of tables: [[source]]"]),
        ("an unknown key", source(("port", "prot")), "4:1", vec!["unknown key `prot`", "did you mean `port`?"]),
        ("a missing key", source(("port = \"/dev/ttyX\"\n", "")), "1:1", vec!["`port` is missing"]),
        ("a missing name", source(("name = \"gps\"\n", "")), "1:1", vec!["`name` is missing"]),
        ("a bad name", source(("\"gps\"", "\"g p s\"")), "2:8", vec!["letters, digits"]),
        ("a missing type", source(("type = \"serial\"\n", "")), "1:1", vec!["`type` is missing", "serial or file"]),
        ("an unknown type", source(("\"serial\"", "\"serail\"")), "3:8", vec!["did you mean `serial`?"]),
        (
            "a text for a number",
            source(("port", "baud = \"9600\"\nport")),
            "4:8",
            vec!["the text \"9600\"", "a whole number"],
        ),
        ("a number out of range", source(("port", "baud = 3\nport")), "4:8", vec!["from 50 to 4000000"]),
        ("a fraction of a baud", source(("port", "baud = 9600.5\nport")), "4:8", vec!["the number 9600.5"]),
        ("nine data bits", source(("port", "data_bits = 9\nport")), "4:13", vec!["5, 6, 7 or 8"]),
        ("an unknown parity", source(("port", "parity = \"evn\"\nport")), "4:10", vec!["did you mean `even`?"]),
        ("a rate of nothing", source(("port", "rate = 0\nport")), "4:8", vec!["messages per second"]),
        ("an unknown frame", source(("\"line\"", "\"lines\"")), "5:18", vec!["did you mean `line`?"]),
        (
            "a frame that is no table",
            source(("{ type = \"line\", max = 80 }", "\"line\"")),
            "5:9",
            vec!["a table: { ... }"],
        ),
        ("an unknown key of a frame", source(("max", "maximum")), "5:26", vec!["unknown key `maximum`"]),
        ("a frame without room", source(("max = 80", "max = 0")), "5:32", vec!["max"]),
        (
            "an unknown CRC",
            source(("{ type = \"line\", max = 80 }", "{ type = \"cobs\", crc = \"CRC-16/MODBSU\" }")),
            "5:32",
            vec!["CRC-16/MODBSU"],
        ),
        (
            "sync that is no hexadecimal",
            source(("{ type = \"line\", max = 80 }", "{ type = \"fixed\", size = 9, sync = \"A\" }")),
            "5:44",
            vec!["hexadecimal digits"],
        ),
        (
            "an input that is not there",
            node(&SINK.replace("gps", "gsp")),
            "9:9",
            vec!["no node `gsp`", "did you mean `gps`?"],
        ),
        ("no input", node("[[sink]]\nname = \"log\"\ntype = \"stdout\"\n"), "6:1", vec!["`input` is missing"]),
        ("an empty list of inputs", node(&SINK.replace("\"gps\"", "[]")), "9:9", vec!["at least one name"]),
        ("a number for an input", node(&SINK.replace("\"gps\"", "7")), "9:9", vec!["a name in quotes"]),
        ("an input named twice", node(&SINK.replace("\"gps\"", "[\"gps\", \"gps\"]")), "9:17", vec!["named twice"]),
        (
            "a sink as an input",
            node(&format!("{SINK}{}", SINK.replace("\"log\"", "\"two\"").replace("gps", "log"))),
            "13:9",
            vec!["is a sink"],
        ),
        (
            "two nodes of one name",
            format!("{SOURCE}{}{SINK}", SOURCE.replace("ttyX", "ttyY")),
            "7:8",
            vec!["two nodes are called `gps`"],
        ),
        ("a port named twice", format!("{SOURCE}{}{SINK}", SOURCE.replace("gps", "gps2")), "9:8", vec!["named twice"]),
        (
            "an unknown overflow",
            node(&SINK.replace("\"gps\"", "{ from = \"gps\", overflow = \"drop-old\" }")),
            "9:36",
            vec!["did you mean `drop-oldest`?"],
        ),
        (
            "a depth of nothing",
            node(&SINK.replace("\"gps\"", "{ from = \"gps\", depth = 0 }")),
            "9:33",
            vec!["from 1 to 1000000000"],
        ),
        (
            "a ring larger than memory",
            node(&SINK.replace("\"gps\"", "{ from = \"gps\", depth = 1000000000 }")),
            "9:9",
            vec!["do not fit into memory"],
        ),
        (
            "a core that does not exist",
            source(("port", "core = 4000\nport")),
            "4:8",
            vec!["no core 4000", "may use the cores"],
        ),
        (
            "a circle",
            node(
                "[[stage]]\nname = \"a\"\ntype = \"decimate\"\nevery = 2\ninput = \"b\"\n[[stage]]\nname = \"b\"\ntype = \"decimate\"\nevery = 2\ninput = \"a\"\n",
            ),
            "10:9",
            vec!["in a circle: a -> b -> a"],
        ),
        (
            "a type that does not fit",
            node("[[stage]]\nname = \"a\"\ntype = \"average\"\nwindow = 4\ninput = \"gps\"\n"),
            "10:9",
            vec!["node `a`", "no number to compute on"],
        ),
        (
            "a field that is not there",
            node(
                "[[stage]]\nname = \"p\"\ntype = \"nmea\"\ninput = \"gps\"\n[[stage]]\nname = \"a\"\ntype = \"average\"\nwindow = 4\ninput = \"p\"\nfields = [\"sped\"]\n",
            ),
            "15:10",
            vec!["sped"],
        ),
        (
            "an average of nothing",
            node(
                "[[stage]]\nname = \"p\"\ntype = \"nmea\"\ninput = \"gps\"\n[[stage]]\nname = \"a\"\ntype = \"average\"\nwindow = 0\ninput = \"p\"\n",
            ),
            "13:10",
            vec!["window"],
        ),
        (
            "a time without a unit",
            node("[[sink]]\nname = \"log\"\ntype = \"csv\"\ninput = \"gps\"\npath = \"x.csv\"\nsync = \"5\"\n"),
            "11:8",
            vec!["a time with its unit"],
        ),
        (
            "a size without a unit",
            node("[[sink]]\nname = \"log\"\ntype = \"csv\"\ninput = \"gps\"\npath = \"x.csv\"\nrotate_size = 100\n"),
            "11:15",
            vec!["a size with its unit"],
        ),
        (
            "an unknown placeholder",
            node("[[sink]]\nname = \"log\"\ntype = \"csv\"\ninput = \"gps\"\npath = \"{inptu}.csv\"\n"),
            "10:8",
            vec!["inptu"],
        ),
        (
            "fields that are no list",
            node("[[stage]]\nname = \"b\"\ntype = \"delimited\"\ninput = \"gps\"\nfields = 3\n"),
            "10:10",
            vec!["a list of tables"],
        ),
        ("no source", SINK.replace("gps", "x"), "4:9", vec!["no node `x`"]),
        ("nothing at all", String::new(), "f.toml", vec!["no source"]),
    ]
}

#[test]
fn each_wrong_file_is_shown_at_its_place() {
    assert_eq!(shown(&format!("{SOURCE}{SINK}")), None, "what the others are made of is right");
    let mut failed = 0;
    for (name, text, place, pieces) in wrong() {
        let shown = shown(&text).unwrap_or_else(|| "nothing is wrong".into());
        let is_right = shown.contains(place) && pieces.iter().all(|piece| shown.contains(piece));
        if !is_right {
            println!("--- {name}: expected {place} with {pieces:?}, but it is shown as\n{shown}\n");
            failed += 1;
        }
    }
    println!("{} wrong files, {failed} not shown as they should be", wrong().len());
    assert_eq!(failed, 0);
}

#[test]
fn several_problems_are_shown_together() {
    let text = format!("{}{}", SOURCE.replace("port", "prot"), SINK.replace("stdout", "stdin"));
    let shown = shown(&text).unwrap();
    assert!(shown.contains("f.toml:4:1") && shown.contains("f.toml:8:8"), "{shown}");
}

#[test]
fn hostile_files_are_refused_in_no_time() {
    let files: [(&str, Vec<u8>); 6] = [
        ("ten megabytes of braces", b"{".repeat(10 << 20)),
        ("a megabyte of brackets", [b"a = ".to_vec(), b"[".repeat((1 << 20) - 100)].concat()),
        ("deep tables", (0..20_000).map(|_| "[a.b.c.d]\n").collect::<String>().into_bytes()),
        ("one long line", [b"name = \"".to_vec(), b"x".repeat(1_000_000), b"\" y".to_vec()].concat()),
        ("zero bytes", vec![0; 1000]),
        ("no UTF-8", vec![b'a', b'\n', 0xFF, 0xFE]),
    ];
    for (name, content) in files {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(&content).unwrap();
        let started = Instant::now();
        let output = Command::new(env!("CARGO_BIN_EXE_pinring")).arg("run").arg(file.path()).output().unwrap();
        println!("{name}: {:?}", started.elapsed());
        assert_eq!(output.status.code(), Some(78), "{name}: {output:?}");
        assert!(output.stderr.len() < 10_000, "{name}: too much is shown");
        assert!(String::from_utf8_lossy(&output.stderr).contains("nothing was started"), "{name}");
    }
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let output = Command::new(env!("CARGO_BIN_EXE_pinring")).args(["check", "no/such.toml"]).output().unwrap();
    assert_eq!(output.status.code(), Some(78));
    assert!(String::from_utf8_lossy(&output.stderr).contains("no/such.toml"));
}

#[test]
fn the_plan_names_schemas_units_rings_and_memory() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    let text =
        format!("{SOURCE}[[stage]]\nname = \"p\"\ntype = \"nmea\"\ninput = \"gps\"\n{}", SINK.replace("gps", "p"));
    file.write_all(text.as_bytes()).unwrap();
    let check = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_pinring")).arg("check").arg(file.path()).args(arguments).output();
        let output = output.unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let shown = check(&[]);
    for piece in ["lat [deg] f64", "speed [m/s] f64", "gps -> p", "slots of", "s at the rated load", "shared memory"] {
        assert!(shown.contains(piece), "{piece} is missing in\n{shown}");
    }
    let plan: serde_json::Value = serde_json::from_str(&check(&["--json"])).unwrap();
    assert_eq!(plan["edges"].as_array().unwrap().len(), 2);
}
