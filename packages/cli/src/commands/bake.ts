import { bakeImage } from '@ingot/core/deploy/bake';
import type { BakeResult } from '@ingot/core/deploy/bake-result';
import { IngotError } from '@ingot/core/errors';
import { parsePlatform, platformOfMachine } from '@ingot/core/oci/platform';
import type { Platform } from '@ingot/core/oci/oci-place';
import { bakeFiles } from '../bake/bake-files.ts';
import { bakedDocument, bakedSummary } from '../bake/baked-document.ts';
import { createdAt } from '../bake/created-at.ts';
import { type HeldModel, openModelToBake } from '../bake/model-to-bake.ts';
import { bakeCache, openBase } from '../bake/open-base.ts';
import { openOutput } from '../bake/open-output.ts';
import { type ImageContents, planImage } from '../bake/plan-image.ts';
import type { Context, Result } from '../context.ts';
import { keepYoungSmall } from '../small-heap.ts';

/** `ingot bake SOURCE… -o WHERE`: makes an image. */
export async function run(context: Context): Promise<Result> {
  keepYoungSmall();
  const { arguments: given } = context;
  const sources = given.rest(0);
  checkWords(sources, context);
  await using held = new HeldModels();
  for (const source of sources) await held.open(source, context);
  const environmentOf = given.text('env');
  if (environmentOf !== undefined) await held.open(environmentOf, context);
  const contents = contentsOf(held, context);
  const form = given.text('format') ?? 'image';
  if (form !== 'image') return await bakeFiles(form === 'files' ? 'files' : 'dockerfile', contents, context);
  return await bake(contents, context);
}

async function bake(contents: ImageContents, context: Context): Promise<Result> {
  const { arguments: given, progress, signal } = context;
  const started = performance.now();
  await using base = await openBase(baseOf(contents, context), context);
  await using output = await openOutput(outputOf(context), defaultsOf(contents), context);
  const created = createdAt(context.env);
  const { to, tag, repository } = output;
  const result: BakeResult = await bakeImage(planImage(contents, context), {
    base: base.find,
    to,
    tag,
    cache: bakeCache(context),
    platforms: platformsOf(given.list('platform')),
    ...(repository !== undefined && { repository }),
    ...(created !== undefined && { created }),
    onProgress: progress.onProgress,
    signal,
  });
  await output.finish();
  const seconds = (performance.now() - started) / 1000;
  return {
    json: bakedDocument(result, { ...output, seconds }),
    quiet: [`${output.called}@${result.digest}`],
    human: () => bakedSummary(result, { ...output, seconds }, context),
    notes: [],
  };
}

/** Models that stay in the cache while they are baked. */
class HeldModels implements AsyncDisposable {
  readonly held: HeldModel[] = [];

  async open(source: string, context: Context): Promise<void> {
    this.held.push(await openModelToBake(source, context));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const one of this.held) await one[Symbol.asyncDispose]();
  }
}

function contentsOf({ held }: HeldModels, { arguments: given }: Context): ImageContents {
  const models = held.map(({ model }) => model);
  const python = given.text('python');
  const common = {
    withoutSetup: given.isOn('without-setup'),
    gzip: given.isOn('gzip'),
    ...(python !== undefined && { python }),
  };
  if (!given.isOn('generic')) return { ...common, models, modelOnly: given.isOn('model-only') };
  const [environmentOf] = models;
  return { ...common, models: [], ...(environmentOf !== undefined && { environmentOf }) };
}

function checkWords(sources: readonly string[], { arguments: given }: Context): void {
  const [generic, modelOnly] = [given.isOn('generic'), given.isOn('model-only')];
  if (generic && modelOnly) throw new IngotError('usage', '--generic and --model-only exclude each other');
  if (generic && sources.length > 0)
    throw new IngotError('usage', 'a generic image holds no model: INGOT_MODELS names it when it starts', {
      hint: `ingot bake --generic --env ${sources[0]} …   (its environment is put in)`,
    });
  if (!generic && sources.length === 0)
    throw new IngotError('usage', 'bake takes a source, or --generic', {
      hint: 'ingot bake churn@production -o oci:./image',
    });
  if (!generic && given.text('env') !== undefined)
    throw new IngotError('usage', '--env goes with --generic: a model brings its own environment');
  if (modelOnly && given.text('format') !== undefined && given.text('format') !== 'image')
    throw new IngotError('usage', '--model-only makes an image; --format writes files to build one with');
}

function outputOf({ arguments: given }: Context): string {
  const text = given.text('output');
  if (text !== undefined && text !== '') return text;
  throw new IngotError('usage', 'say where the image goes with -o', {
    hint: '-o oci:DIR, -o docker-archive:FILE, or -o HOST/NAME:TAG',
  });
}

/** An image of files alone needs no base. */
function baseOf({ modelOnly, models, environmentOf }: ImageContents, { settings }: Context): string {
  const named = settings.text('bake-base');
  if (modelOnly === true) return named ?? 'scratch';
  if (named !== undefined) return named;
  const python =
    (models[0] ?? environmentOf)?.cached.description.pythonVersion?.split('.').slice(0, 2).join('.') ?? '3.11';
  throw new IngotError('usage', 'say what the image stands on with --base, or with INGOT_BAKE_BASE', {
    operation: 'bake',
    hint: `--base python:${python}-slim   or --base debian-packages, --base oci:DIR, --base rootfs:FILE.tar`,
  });
}

function defaultsOf({ models }: ImageContents): { readonly name: string; readonly tag: string } {
  const [only, ...others] = models;
  if (only === undefined) return { name: 'ingot', tag: 'latest' };
  const { model, version, number } = only.version;
  const tag =
    others.length > 0
      ? 'latest'
      : (version ?? String(number))
          .replace(/[^\w.-]+/g, '-')
          .replace(/^[.-]+/, '')
          .slice(0, 128);
  return { name: model, tag: tag === '' ? 'latest' : tag };
}

function platformsOf(texts: readonly string[]): readonly Platform[] {
  const named = texts.flatMap((text) => text.split(',')).filter((text) => text !== '');
  return named.length === 0 ? [platformOfMachine()] : named.map(parsePlatform);
}
