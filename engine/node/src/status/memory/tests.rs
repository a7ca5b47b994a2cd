use super::{parse, resident_bytes};

#[test]
fn the_resident_memory_is_read_from_the_line_of_its_name() {
    assert_eq!(
        parse("VmPeak:\t  99 kB\nVmRSS:\t   1234 kB\nThreads:\t4\n"),
        Some(1234 * 1024)
    );
    assert_eq!(parse("VmPeak:\t  99 kB\n"), None);
    assert_eq!(parse("VmRSS:\t many kB\n"), None);
}

#[test]
fn this_process_takes_memory() {
    assert!(resident_bytes() > 1 << 20);
}
