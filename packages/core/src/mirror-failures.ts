import { IngotError } from './errors.ts';

/** Ends a mirroring of which some models failed: with the first failure, and how many more there were. Nothing when none did. */
export function throwMirrorFailures(failures: readonly IngotError[]): void {
  const [first] = failures;
  if (first === undefined) return;
  const others = failures.length - 1;
  const rest = others === 0 ? '' : ` (and ${others} more)`;
  throw new IngotError(first.code, `not all was mirrored: ${first.message}${rest}`, {
    operation: 'mirror',
    ...(first.hint === undefined ? {} : { hint: first.hint }),
    details: { ...first.details, failures: failures.map(({ code, message }) => ({ code, message })) },
    cause: first,
  });
}
