import { IngotError } from '@ingot/core/errors';
import { formatReference, type Reference } from '@ingot/core/ref';
import type { Registry } from '@ingot/core/registry/registry';
import type { Context } from './context.ts';

/**
 * Says which version a reference meant at some time, by the history: after the last event that is not later.
 * @throws IngotError `usage` for what is no time, `version-not-found` and `alias-not-found` when it meant nothing then.
 */
export async function meantThen(
  reference: Reference,
  time: string,
  { registry, context }: { readonly registry: Registry; readonly context: Context },
): Promise<Reference> {
  const at = momentOf(time);
  const { name, selector } = reference;
  const active = new Map<number, { readonly label: unknown; readonly manifest: unknown }>();
  const kept = new Set<number>();
  const aliases = new Map<string, number>();
  for await (const { at: then, kind, body } of registry.history(name, context)) {
    if (Date.parse(then) > at.getTime()) break;
    const number = typeof body.number === 'number' ? body.number : undefined;
    const alias = String(body.alias ?? '');
    if (kind === 'alias-removed') aliases.delete(alias);
    if (number === undefined) continue;
    if (kind === 'alias-set') aliases.set(alias, number);
    if (kind === 'version-published') {
      kept.add(number);
      if (body.retired !== true) active.set(number, { label: body.label, manifest: body.manifest });
    }
    if (kind === 'version-retired' || kind === 'version-deleted') active.delete(number);
    if (kind === 'version-deleted') kept.delete(number);
  }
  const newest = (is: (facts: { readonly label: unknown; readonly manifest: unknown }) => boolean) =>
    [...active].filter(([, facts]) => is(facts)).at(-1)?.[0];
  const number = ((): number | undefined => {
    switch (selector.kind) {
      case 'alias':
        return aliases.get(selector.alias);
      case 'latest':
        return newest(() => true);
      case 'version':
        return kept.has(selector.number) ? selector.number : undefined;
      case 'label':
        return newest(({ label }) => label === selector.label);
      case 'digest':
        return newest(({ manifest }) => manifest === selector.digest);
    }
  })();
  if (number !== undefined) return { name, selector: { kind: 'version', number } };
  const code = selector.kind === 'alias' ? 'alias-not-found' : 'version-not-found';
  throw new IngotError(code, `${formatReference(reference)} meant nothing at ${at.toISOString()}`, {
    hint: `ingot history ${name}`,
  });
}

function momentOf(text: string): Date {
  // A day without a time means all of it.
  const at = new Date(/^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T23:59:59.999Z` : text);
  if (Number.isNaN(at.getTime()))
    throw new IngotError('usage', `--at is a time like 2026-05-01 or 2026-05-01T12:00:00Z, and is "${text}"`);
  return at;
}
