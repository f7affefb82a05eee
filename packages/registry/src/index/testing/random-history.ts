import { isIngotError } from '@ingot/core/errors';
import { parseModelName, parseReference } from '@ingot/core/ref';
import { draftOf } from '@ingot/core/registry/conformance/case';
import type { Registry } from '@ingot/core/registry/registry';

/** The names of the models that {@link playHistory} plays with. */
export const PLAYED_NAMES = ['churn', 'team/wine', 'digits', 'iris'].map(parseModelName);
const ALIASES = ['production', 'staging', 'b'];
const TEXTS = ['plain', 'ünï ✓ 模型', 'a\u0000b', '\ud800', "it's; drop table", ''];

/**
 * Does things to a registry by chance: makes, publishes, moves, changes, renames, deletes. What the registry refuses is
 * part of the game.
 * @param random gives numbers from 0 to 1.
 */
export async function playHistory(registry: Registry, steps: number, random: () => number): Promise<void> {
  const pick = <T>(items: readonly [T, ...T[]] | readonly T[]): T => {
    const item = items[Math.floor(random() * items.length)];
    if (item === undefined) throw new TypeError('nothing to pick');
    return item;
  };
  const number = (): number => 1 + Math.floor(random() * 6);
  const actions: (() => Promise<unknown>)[] = [
    () => registry.ensureModel(pick(PLAYED_NAMES)),
    () => publish(),
    () => publish(),
    () => publish(),
    () => registry.setAlias(pick(PLAYED_NAMES), pick(ALIASES), number(), { reason: pick(TEXTS) }),
    () => registry.setAlias(pick(PLAYED_NAMES), pick(ALIASES), number()),
    () => registry.removeAlias(pick(PLAYED_NAMES), pick(ALIASES)),
    () => registry.update(version(), { description: pick(TEXTS), tags: { [pick(TEXTS)]: pick(TEXTS), old: null } }),
    () => registry.update(version(), { metrics: { auc: random(), 'loss.val': -random() * 1e-9 } }),
    () => registry.updateModel(pick(PLAYED_NAMES), { description: pick(TEXTS), tags: { team: pick(TEXTS), b: null } }),
    () => registry.setStage(version(), pick(['Staging', 'Production', null])),
    () => registry.retire(version()),
    () => registry.deleteVersion(version()),
    () => registry.rename(pick(PLAYED_NAMES), pick(PLAYED_NAMES)),
  ];
  const rare = () => registry.deleteModel(pick(PLAYED_NAMES));

  function version() {
    return parseReference(`${pick(PLAYED_NAMES)}:${number()}`);
  }

  async function publish(): Promise<void> {
    const name = pick(PLAYED_NAMES);
    await registry.ensureModel(name);
    const draft = draftOf(`content ${Math.floor(random() * 30)}`, {
      tags: { old: pick(TEXTS), team: 'x' },
      metrics: { auc: random() },
      params: { depth: number(), nested: { rate: '0.10', list: [1, 'x'], deep: { on: true } }, text: pick(TEXTS) },
      environment: { python: '3.11', requirements: ['scikit-learn==1.5.2', 'NumPy>=1.0', 'x @ file:///y'] },
      lineage: {
        run: 'r1',
        git: { commit: '4f1c', dirty: random() < 0.5 },
        data: [{ name: 'customers', digest: 'sha256:1' }, { name: 'customers' }],
        parents: [`${pick(PLAYED_NAMES)}:1`, 's3://bucket/model.pkl', `${pick(PLAYED_NAMES)}@production`],
      },
      retired: random() < 0.1,
      ...(random() < 0.3 ? { label: `1.${number()}`, labelFrom: 'metadata' } : {}),
      ...(random() < 0.3 ? { description: pick(TEXTS) } : {}),
    });
    await registry.publish(name, draft, {
      always: random() < 0.2,
      ...(random() < 0.3 && { aliases: [pick(ALIASES)] }),
    });
  }

  for (let step = 0; step < steps; step += 1) {
    try {
      await (random() < 0.02 ? rare() : pick(actions)());
    } catch (error) {
      if (!isIngotError(error) || error.code === 'unexpected' || error.code === 'unavailable') throw error;
    }
  }
}
