import { IngotError } from '@ingot/core/errors';
import type { Reference } from '@ingot/core/ref';
import type { Registry, RegistryOptions, VersionRecord } from '@ingot/core/registry/registry';
import type { ProtectedMoves } from './protected-moves.ts';

/** What of a registry says where an alias leads. */
type Resolving = Pick<Registry, 'resolve' | 'version' | 'model' | 'deleteVersion'>;

/** Lets protected aliases lead where they led before somebody moved them past the server. */
export function holdAliases<R extends Resolving>(registry: R, moves: ProtectedMoves): R {
  const held = async (reference: Reference, options: RegistryOptions): Promise<Reference> => {
    if (moves.isEmpty || reference.selector.kind !== 'alias') return reference;
    const { alias } = reference.selector;
    const { id } = await registry.model(reference.name, options);
    const number = moves.heldTarget(id, alias);
    if (number === undefined) return reference;
    if (number !== null) return { name: reference.name, selector: { kind: 'version', number } };
    throw new IngotError('alias-not-found', `model "${reference.name}" has no alias "${alias}"`, {
      hint: `ingot alias ls ${reference.name}`,
    });
  };
  const asked = <T extends { readonly reference?: Reference }>(answer: T, reference: Reference): T =>
    answer.reference === undefined ? answer : { ...answer, reference };
  const refuseHeld = ({ model, modelId, number }: VersionRecord): void => {
    const leading = moves.heldOf(modelId).find(([, target]) => target === number);
    if (leading === undefined) return;
    throw new IngotError(
      'conflict',
      `"${leading[0]}" of "${model}" leads to version ${number}: a move past the server is not followed`,
      {
        hint: `ingot promote ${model}:N ${leading[0]}   (or accept the move: docs/access.md)`,
        details: { model, number, alias: leading[0] },
      },
    );
  };
  return {
    ...registry,
    resolve: async (reference, options = {}) => {
      if (moves.isEmpty) return registry.resolve(reference, options);
      return asked(await registry.resolve(await held(reference, options), options), reference);
    },
    version: async (reference, options = {}) => {
      if (moves.isEmpty) return registry.version(reference, options);
      return registry.version(await held(reference, options), options);
    },
    // The log says that nothing names it; what is served comes from it.
    deleteVersion: async (reference, options = {}) => {
      if (!moves.isEmpty) await refuseHeld(await registry.version(await held(reference, options), options));
      return registry.deleteVersion(await held(reference, options), options);
    },
    model: async (name, options = {}) => {
      const model = await registry.model(name, options);
      if (moves.isEmpty) return model;
      const entries = new Map(Object.entries(model.aliases));
      for (const [alias, number] of moves.heldOf(model.id)) {
        if (number === null) entries.delete(alias);
        else entries.set(alias, number);
      }
      return { ...model, aliases: Object.fromEntries(entries) };
    },
  };
}
