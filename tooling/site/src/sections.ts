/** The order in which the site is read: what a newcomer needs first stands first. */

/** A heading of the sidebar, and the files of the repository under it. One that is not there is left out. */
export interface Section {
  readonly title: string;
  readonly files: readonly string[];
}

/** The heading of the pages that are made of doc comments, one for each entry point. */
export const REFERENCE = "API reference";

/** Every section; pages under `docs/` that none of them names are put under a last one, “More”. */
export const SECTIONS: readonly Section[] = [
  { title: "Start", files: ["docs/get-started.md", "docs/concepts.md", "packages/perdure/README.md"] },
  {
    title: "Guides",
    files: [
      "docs/guides/charging.md",
      "docs/guides/sagas.md",
      "docs/guides/approvals.md",
      "docs/guides/schedules.md",
      "docs/streams.md",
      "docs/webhooks.md",
    ],
  },
  {
    title: "Workflows and steps",
    files: [
      "docs/steps.md",
      "docs/determinism.md",
      "docs/errors.md",
      "docs/runs.md",
      "docs/children.md",
      "docs/resume-or-start.md",
      "docs/continue-as-new.md",
      "docs/cancellation.md",
      "docs/abort-signals.md",
      "docs/retry-and-fork.md",
    ],
  },
  {
    title: "Nothing twice",
    files: [
      "docs/idempotency.md",
      "docs/start-keys.md",
      "docs/once.md",
      "docs/locks.md",
      "docs/at-most-once.md",
      "docs/transactions.md",
      "docs/outbound.md",
      "docs/idempotent-requests.md",
    ],
  },
  {
    title: "In your stack",
    files: [
      "docs/frameworks.md",
      "docs/bundlers.md",
      "docs/runtimes.md",
      "docs/serverless.md",
      "packages/create-perdure/README.md",
    ],
  },
  { title: "Tests", files: ["docs/testing.md", "packages/vitest/README.md", "packages/simulator/README.md"] },
  {
    title: "Worlds",
    files: [
      "packages/world-sqlite/README.md",
      "packages/world-postgres/README.md",
      "packages/world-redis/README.md",
      "packages/world-mongodb/README.md",
      "docs/write-an-adapter.md",
      "packages/world-testkit/README.md",
    ],
  },
  {
    title: "Operating",
    files: ["docs/operate.md", "docs/dashboard.md", "docs/telemetry.md", "docs/encryption.md"],
  },
  {
    title: "Moving here",
    files: [
      "docs/comparison.md",
      "docs/workflow-sdk.md",
      "docs/guides/from-bullmq.md",
      "docs/guides/from-pg-boss.md",
      "docs/guides/from-temporal.md",
    ],
  },
  {
    title: "How it works",
    files: [
      "docs/how-it-works.md",
      "docs/reliability.md",
      "apps/charging/README.md",
      "ARCHITECTURE.md",
      "packages/compiler/spec.md",
      "CONTRIBUTING.md",
    ],
  },
  {
    title: "Packages",
    files: [
      "packages/core/README.md",
      "packages/compiler/README.md",
      "packages/http/README.md",
      "packages/transactions/README.md",
      "packages/dashboard/README.md",
      "packages/otel/README.md",
    ],
  },
];
