import type { Meter } from "@opentelemetry/api";
import type { Interceptor } from "@perdure/core/runtime";
import { ATTRIBUTE } from "./attributes.ts";

/** Counters and histograms of what happens in this process. */

/** Buckets of lengths of time, in seconds: from a commit on a local disk to a run that has waited for minutes. */
const SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900];
const SIZES = [1, 2, 5, 10, 20, 50, 100, 200, 500];

/** Measures what happens in this process. */
export function metricsInterceptor(meter: Meter): Interceptor {
  const counter = (name: string, unit: string, description: string) =>
    meter.createCounter(name, { unit, description });
  const histogram = (name: string, unit: string, explicitBucketBoundaries: number[], description: string) =>
    meter.createHistogram(name, { unit, description, advice: { explicitBucketBoundaries } });

  const started = counter("perdure.runs.started", "{run}", "Runs that were started here.");
  const ended = counter("perdure.runs.ended", "{run}", "Runs that ended here, by status.");
  const diverged = counter("perdure.runs.diverged", "{run}", "How often runs were parked as diverged.");
  const lost = counter("perdure.leases.lost", "{lease}", "Leases that were lost to other workers.");
  const attempts = counter("perdure.step.attempts", "{attempt}", "Attempts of steps, by outcome.");
  const length = histogram("perdure.step.duration", "s", SECONDS, "How long attempts of steps took.");
  const lag = histogram(
    "perdure.claim.lag",
    "s",
    SECONDS,
    "How long runs were due before they were claimed.",
  );
  const commit = histogram("perdure.commit.duration", "s", SECONDS, "How long batches of commits took.");
  const batch = histogram("perdure.commit.batch_size", "{run}", SIZES, "How many runs a batch wrote for.");
  const replay = histogram("perdure.replay.duration", "s", SECONDS, "How long journals took to be replayed.");

  return {
    onStart({ workflowName }) {
      return ({ type }) => {
        if (type === "created") started.add(1, { [ATTRIBUTE.workflow]: workflowName });
      };
    },

    onRunEnd({ workflowName, status }) {
      ended.add(1, { [ATTRIBUTE.workflow]: workflowName, [ATTRIBUTE.status]: status });
    },

    onMeasure(measurement) {
      switch (measurement.type) {
        case "step_attempt": {
          const { workflowName, stepName, outcome, duration } = measurement;
          const attributes = {
            [ATTRIBUTE.workflow]: workflowName,
            [ATTRIBUTE.step]: stepName,
            [ATTRIBUTE.outcome]: outcome,
          };
          attempts.add(1, attributes);
          length.record(duration / 1000, attributes);
          return;
        }
        case "claim":
          lag.record(measurement.lag / 1000, { [ATTRIBUTE.workflow]: measurement.workflowName });
          return;
        case "commit":
          commit.record(measurement.duration / 1000);
          batch.record(measurement.runs);
          return;
        case "replay":
          replay.record(measurement.duration / 1000, { [ATTRIBUTE.workflow]: measurement.workflowName });
          return;
        case "diverged":
          diverged.add(1, { [ATTRIBUTE.workflow]: measurement.workflowName });
          return;
        case "lease_lost":
          lost.add(1, { [ATTRIBUTE.workflow]: measurement.workflowName });
      }
    },
  };
}
