const QUALITIES =
  'amber bold brisk calm clear clever crisp daring eager fair fleet gentle glad golden keen kind lively lucid mellow merry mild nimble noble placid proud quick quiet ready sharp silent sleek smooth solid spry steady still stout sunny swift tidy true vivid warm wise'.split(
    ' ',
  );
const THINGS =
  'anvil auk badger beech birch bison brook cedar cinder cliff cobalt comet cove crane crucible delta dune elm ember falcon fern finch fjord flint forge gale garnet grove harbor hare heron ibis ingot jay kestrel lark lathe lynx maple marten mold moss oak onyx otter owl pine plover quartz raven reef robin rowan sable shoal slag sparrow spruce stoat swan tern thrush vale wren'.split(
    ' ',
  );

/** A name for a run that was given none: `brisk-heron-412`. `random` gives so many bytes. */
export function randomRunName(random: (size: number) => Uint8Array): string {
  const [first = 0, second = 0, high = 0, low = 0] = random(4);
  const quality = QUALITIES[first % QUALITIES.length];
  const thing = THINGS[second % THINGS.length];
  return `${quality}-${thing}-${(high * 256 + low) % 1000}`;
}
