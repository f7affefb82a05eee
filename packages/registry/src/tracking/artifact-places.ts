import { loggedModelRow } from './logged-models.ts';
import { runRow } from './runs.ts';
import type { TrackingContext } from './context.ts';

/** Says where the artifacts of runs and logged models are; each throws `not-found`. */
export function artifactPlaces(context: TrackingContext) {
  return {
    /** Address of a run's artifacts: `mlflow-artifacts:/0/<id>/artifacts`. */
    run: async (id: string): Promise<string> => (await runRow(context, id)).artifact_uri,
    /** Address of a logged model's artifacts. */
    loggedModel: async (id: string): Promise<string> => (await loggedModelRow(context, id)).artifact_location,
  };
}
