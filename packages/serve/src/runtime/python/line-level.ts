/** What `logging`, glog (`I0000 …`) and TensorFlow put before a line that is no warning. */
const NO_WARNING = [
  /^I\d{4} [\d:.]+ /,
  /^[\d-]{10} [\d:.,]+: I /,
  /^(?:INFO|DEBUG):/,
  /^[\d-]{10}[ T][\d:.,]+ (?:- \S+ - )?(?:INFO|DEBUG)\b/,
  // Says only that the lines behind it go to stderr.
  /^WARNING: All log messages before absl::InitializeLog\(\)/,
];

/** The level of a line that a model's process wrote on stderr: `warn`, unless it says of itself that it is none. */
export function lineLevel(line: string): 'info' | 'warn' {
  return NO_WARNING.some((pattern) => pattern.test(line)) ? 'info' : 'warn';
}
