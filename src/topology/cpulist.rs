//! The kernel's lists of processors: `0-3,5` (cpuset(7), "List format").

/// A text that is no such list.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no list of processors such as `0-3,5`")]
pub struct CpuListError(pub String);

/// No machine has more; keeps a range from a broken file within bounds.
const MOST: usize = 1 << 16;

/// Processor numbers in ascending order, each once. An empty text is an empty list.
///
/// # Errors
/// If the text is no list.
pub fn parse_cpulist(text: &str) -> Result<Vec<usize>, CpuListError> {
    let wrong = || CpuListError(text.trim().to_owned());
    let mut cpus = Vec::new();
    for part in text.trim().split(',').filter(|part| !part.is_empty()) {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let number = |digits: &str| digits.parse::<usize>().ok().filter(|number| *number < MOST);
        let (first, last) = (number(first).ok_or_else(wrong)?, number(last).ok_or_else(wrong)?);
        if first > last {
            return Err(wrong());
        }
        cpus.extend(first..=last);
    }
    cpus.sort_unstable();
    cpus.dedup();
    Ok(cpus)
}

/// The shortest list of these processors.
pub fn format_cpulist(cpus: &[usize]) -> String {
    let mut parts: Vec<(usize, usize)> = Vec::new();
    for cpu in cpus {
        match parts.last_mut() {
            Some((_, last)) if *last + 1 == *cpu => *last = *cpu,
            _ => parts.push((*cpu, *cpu)),
        }
    }
    let part = |(first, last): &(usize, usize)| {
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    };
    parts.iter().map(part).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn lists_of_the_kernel_are_read() {
        assert_eq!(parse_cpulist("0-3,5\n").unwrap(), [0, 1, 2, 3, 5]);
        assert!(parse_cpulist("\n").unwrap().is_empty());
        assert_eq!(parse_cpulist("2,1,2").unwrap(), [1, 2]);
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for text in ["a", "3-1", "1-", "-1", "0-99999999999999999999", "0-70000"] {
            assert_eq!(parse_cpulist(text), Err(CpuListError(text.into())));
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(cpus in proptest::collection::btree_set(0usize..300, 0..40)) {
            let cpus: Vec<usize> = cpus.into_iter().collect();
            prop_assert_eq!(parse_cpulist(&format_cpulist(&cpus)).unwrap(), cpus);
        }
    }
}
