import type { Problem } from '../package.ts';
import type { ForeignFolder } from './foreign-folder.ts';
import { flavorText, type ForeignFinding, mapOf, metadataText, telling, textOf } from './foreign.ts';

const FILE = 'MAR-INF/MANIFEST.json';

/** Reads an unpacked TorchServe archive: its manifest, serialized file, handler and requirements. */
export async function readTorchserve(folder: ForeignFolder): Promise<ForeignFinding | undefined> {
  const manifest = mapOf(await folder.json(FILE));
  const model = mapOf(manifest.model);
  if (textOf(model.modelName) === undefined && textOf(model.handler) === undefined) return undefined;
  const [serialized, handler, modelFile] = [
    textOf(model.serializedFile),
    textOf(model.handler),
    textOf(model.modelFile),
  ];
  const requirements = textOf(model.requirementsFile);
  const wanted =
    requirements === undefined || requirements === 'requirements.txt' ? undefined : await folder.text(requirements);
  const isScript = serialized !== undefined && modelFile === undefined && folder.has(serialized);
  return {
    kind: 'a TorchServe archive',
    from: FILE,
    written: {
      ...(isScript
        ? { 'flavor.json': flavorText({ flavor: 'torch', artifact: serialized, input: 'tensors', executesCode: true }) }
        : {}),
      ...requirementsOf(wanted, isScript && !folder.has('requirements.txt')),
      'metadata.yaml': metadataText({
        name: textOf(model.modelName),
        version: textOf(model.modelVersion),
        created_date:
          /^\d{4}-\d\d-\d\d/.exec(textOf(manifest.createdOn) ?? '')?.[0] ?? slashed(textOf(manifest.createdOn)),
        torchserve: telling({ ...model, runtime: manifest.runtime, archiver_version: manifest.archiverVersion }),
      }),
    },
    understood: [
      ...(serialized === undefined
        ? []
        : [{ what: 'artifact', value: serialized, from: `from serializedFile in ${FILE}` }]),
      ...(handler === undefined ? [] : [{ what: 'handler', value: handler, from: `from handler in ${FILE}` }]),
    ],
    problems: handler === undefined ? [] : [handlerIsNotRun(handler, isScript)],
  };
}

/** A script needs torch itself, which every TorchServe has. */
function requirementsOf(wanted: string | undefined, isBare: boolean): { readonly 'requirements.txt'?: string } {
  if (wanted !== undefined) return { 'requirements.txt': wanted };
  return isBare ? { 'requirements.txt': 'numpy\ntorch\n' } : {};
}

/** `17/05/2021 10:15:00`. */
function slashed(text: string | undefined): string | undefined {
  const [, day, month, year] = /^(\d\d)\/(\d\d)\/(\d{4})/.exec(text ?? '') ?? [];
  return year === undefined ? undefined : `${year}-${month}-${day}`;
}

function handlerIsNotRun(handler: string, isScript: boolean): Problem {
  return {
    severity: 'warning',
    rule: 'foreign.handler',
    message: isScript
      ? `the handler "${handler}" is kept but not run: the model takes and gives tensors`
      : `the handler "${handler}" needs TorchServe, so the archive is stored but not served`,
    fix: 'what it does before and after the model goes into an interface.py',
  };
}
