/**
 * Says whether a command only has to do with paths of this machine. Clients of storages keep what they have learnt of
 * credentials and servers for as long as their process lives; an engine that may have loaded one serves no second command.
 * @example
 * staysLocal(['push', './churn'], '/srv/models'); // true
 * staysLocal(['push', 's3://models/churn.pkl'], '/srv/models'); // false
 */
export function staysLocal(words: readonly string[], registry: string): boolean {
  return ![...words.map(optionValue), registry].some((text) => ELSEWHERE.test(text));
}

/** `s3://…` and `models:/churn/7`, unlike `churn:7` and `C:/models`. */
const ELSEWHERE = /^(?!file:)[a-z][a-z0-9+.-]+:\//i;

/** The value of `--option=value`. */
function optionValue(word: string): string {
  return /^--[a-z-]+=(.*)$/s.exec(word)?.[1] ?? word;
}
