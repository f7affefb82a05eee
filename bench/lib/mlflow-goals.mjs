/** How many times less a request shall cost the registry server than `mlflow server`, in processor time of the server. */
const WANTED = {
  'get by alias': 50,
  'get version': 50,
  'create version': 8,
  'search by tag': 20,
  'all versions': 20,
};

/** Goals of costs (`cpuMs`) by who, place and kind of request; none where mlflow was not asked. */
export function lessThanMlflow({ ingot, mlflow }, places) {
  if (mlflow === undefined) return [];
  return places.flatMap(({ name }) =>
    Object.keys(ingot[name]).flatMap((kind) => {
      const wanted = kind === 'get model' ? (name === '10,000 versions' ? 500 : undefined) : WANTED[kind];
      if (wanted === undefined) return [];
      const ratio = mlflow[name][kind].cpuMs / ingot[name][kind].cpuMs;
      return [
        {
          goal: `${kind}, ${name}: ${wanted} times less than mlflow`,
          value: `${ratio.toFixed(1)} times`,
          met: ratio >= wanted,
        },
      ];
    }),
  );
}
