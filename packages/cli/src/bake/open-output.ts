import { resolve } from 'node:path';
import { IngotError } from '@ingot/core/errors';
import { OciArchiveWriter } from '@ingot/core/oci/archive-writer';
import { OciLayout } from '@ingot/core/oci/layout';
import { imageNameOf } from '@ingot/core/oci/layout-index';
import type { OciPlace } from '@ingot/core/oci/oci-place';
import { formatRegistryAddress, parseRegistryAddress } from '@ingot/core/oci/registry-address';
import type { Context } from '../context.ts';
import { openRepository } from '../open-repository.ts';

/** Where an image goes. What is disposed unfinished has published nothing. */
export interface ImageOutput extends AsyncDisposable {
  readonly to: OciPlace;
  readonly tag: string;
  /** What others call the image: `ghcr.io/team/churn:7`, `oci:DIR:7`. */
  readonly called: string;
  /** Where it is one of a registry: `ghcr.io/team/churn`. */
  readonly repository?: string;
  /** Ends writing: an archive gets its name. */
  finish(): Promise<void>;
}

const ARCHIVES = { 'docker-archive': true, 'oci-archive': false } as const;
const TAG = /^\w[\w.-]{0,127}$/;

/**
 * Opens what `-o` names: `oci:DIR[:TAG]`, `oci-archive:FILE[:TAG]`, `docker-archive:FILE[:NAME:TAG]`, `HOST/NAME[:TAG]`.
 * @param defaults the name and the tag where none is said: those of the model.
 * @throws IngotError `usage`; as opening the place does.
 */
export async function openOutput(
  text: string,
  defaults: { readonly name: string; readonly tag: string },
  context: Context,
): Promise<ImageOutput> {
  const [, scheme = '', rest = ''] = /^([a-z][a-z-]*):(?!\/\/)(.*)$/s.exec(text) ?? [];
  if (scheme === 'oci') return layout(rest, defaults, context);
  if (scheme === 'docker-archive' || scheme === 'oci-archive')
    return await archive(rest, { ...defaults, docker: ARCHIVES[scheme], scheme }, context);
  if (scheme === 'docker-daemon' || scheme === 'containers-storage')
    throw new IngotError('usage', `"${text}" is kept by a daemon or another tool, which Ingot does not speak with`, {
      operation: 'bake',
      hint: '-o docker-archive:churn.tar   (then docker load -i churn.tar)',
    });
  const address = parseRegistryAddress(text);
  if (address.digest !== undefined)
    throw new IngotError('usage', `"${text}" names a digest, which only what is baked decides`, { operation: 'bake' });
  const { host, name, tag = defaults.tag } = address;
  return {
    to: await openRepository({ host, name }, context),
    tag,
    called: formatRegistryAddress({ host, name, tag }),
    repository: `${host}/${name}`,
    finish: async () => {},
    [Symbol.asyncDispose]: async () => {},
  };
}

function layout(rest: string, { tag }: { readonly tag: string }, { cwd }: Context): ImageOutput {
  const colon = rest.lastIndexOf(':');
  const said = colon > 0 && !rest.slice(colon).includes('/') ? rest.slice(colon + 1) : undefined;
  const directory = said === undefined ? rest : rest.slice(0, colon);
  if (directory === '') throw new IngotError('usage', '-o oci: names no directory', { hint: '-o oci:./image:7' });
  if (said !== undefined && !TAG.test(said))
    throw new IngotError('usage', `"${said.slice(0, 80)}" is not a tag: letters, digits, "_", "." and "-"`, {
      hint: '-o oci:./image:7',
    });
  return {
    to: new OciLayout(resolve(cwd, directory)),
    tag: said ?? tag,
    called: `oci:${directory}:${said ?? tag}`,
    finish: async () => {},
    [Symbol.asyncDispose]: async () => {},
  };
}

interface ArchiveTarget {
  readonly name: string;
  readonly tag: string;
  readonly docker: boolean;
  readonly scheme: string;
}

async function archive(
  rest: string,
  { name, tag, docker, scheme }: ArchiveTarget,
  { cwd }: Context,
): Promise<ImageOutput> {
  // As skopeo has it: what follows the first colon is the name, which holds one itself.
  const colon = rest.indexOf(':');
  const file = colon < 0 ? rest : rest.slice(0, colon);
  const said = colon < 0 ? undefined : rest.slice(colon + 1);
  if (file === '') throw new IngotError('usage', `-o ${scheme}: names no file`, { hint: `-o ${scheme}:churn.tar` });
  if (docker && said !== undefined && imageNameOf(said) === undefined)
    throw new IngotError('usage', `"${said.slice(0, 80)}" is no NAME:TAG that Docker takes`, {
      hint: `-o ${scheme}:${file}:churn:7`,
    });
  const writer = await OciArchiveWriter.begin(resolve(cwd, file), { docker });
  const named = said ?? (docker ? `${dockerName(name)}:${tag}` : tag);
  return {
    to: writer,
    tag: named,
    called: `${scheme}:${file}:${named}`,
    finish: () => writer.finish(),
    [Symbol.asyncDispose]: () => writer[Symbol.asyncDispose](),
  };
}

/** A model's name as Docker takes names: small letters, single separators within. */
function dockerName(model: string): string {
  const parts = model.toLowerCase().split('/');
  const named = parts.map((part) => part.replace(/[._-]+/g, (some) => some[0] ?? '-').replace(/^[._-]+|[._-]+$/g, ''));
  return named.filter((part) => part !== '').join('/') || 'model';
}
