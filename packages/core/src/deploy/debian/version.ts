/**
 * Orders versions as dpkg does: by epoch, upstream version and revision. Source: deb-version(7), "Sorting algorithm".
 * @example
 * compareDebianVersions('1.0~rc1', '1.0'); // -1
 */
export function compareDebianVersions(a: string, b: string): number {
  const [one, other] = [split(a), split(b)];
  return (
    one.epoch - other.epoch || compareParts(one.upstream, other.upstream) || compareParts(one.revision, other.revision)
  );
}

function split(version: string): { readonly epoch: number; readonly upstream: string; readonly revision: string } {
  const colon = version.indexOf(':');
  const rest = version.slice(colon + 1);
  const dash = rest.lastIndexOf('-');
  return {
    epoch: colon < 0 ? 0 : Number(version.slice(0, colon)) || 0,
    upstream: dash < 0 ? rest : rest.slice(0, dash),
    revision: dash < 0 ? '' : rest.slice(dash + 1),
  };
}

/** Texts and numbers by turns: `~` before the end, the end before letters, letters before all else. */
function compareParts(a: string, b: string): number {
  let [left, right] = [a, b];
  while (left !== '' || right !== '') {
    const [text, otherText] = [/^\D*/.exec(left)?.[0] ?? '', /^\D*/.exec(right)?.[0] ?? ''];
    const byText = compareTexts(text, otherText);
    if (byText !== 0) return byText;
    left = left.slice(text.length);
    right = right.slice(otherText.length);
    const [number, otherNumber] = [/^\d*/.exec(left)?.[0] ?? '', /^\d*/.exec(right)?.[0] ?? ''];
    const byNumber = Number(number) - Number(otherNumber);
    if (byNumber !== 0) return Math.sign(byNumber);
    left = left.slice(number.length);
    right = right.slice(otherNumber.length);
  }
  return 0;
}

function compareTexts(a: string, b: string): number {
  for (let at = 0; at < Math.max(a.length, b.length); at += 1) {
    const difference = rank(a[at]) - rank(b[at]);
    if (difference !== 0) return Math.sign(difference);
  }
  return 0;
}

function rank(character: string | undefined): number {
  if (character === undefined) return 0;
  if (character === '~') return -1;
  return /[A-Za-z]/.test(character) ? character.charCodeAt(0) : character.charCodeAt(0) + 256;
}
