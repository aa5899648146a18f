import type { EncryptionOptions, WorkerOptions } from "@perdure/core/runtime";
import type { World } from "@perdure/core/world";
import type { DashboardOptions } from "@perdure/dashboard";

/** `perdure.config.ts`: what the command line goes by in a project. */

/** The default export of `perdure.config.ts` (or `.mts`, `.js`, `.mjs`). */
export interface PerdureConfig {
  /** Where the runs are, or a function that makes it. A `--url` goes before it. */
  readonly world?: World | (() => World | Promise<World>);
  /** The modules with workflows and steps, relative to this file: for `worker`, `dev` and `replay` where they are told of none. */
  readonly files?: readonly string[];
  /** The keys of what is stored, as `configure` takes them. Without them encrypted values are shown as such. */
  readonly encryption?: EncryptionOptions;
  /** Options of the worker that `worker` and `dev` run. */
  readonly worker?: Omit<WorkerOptions, "world" | "signals" | "keepAlive">;
  /** Who may look at the dashboard that `dashboard` and `dev` serve, and whether they may act. Default: this machine, which may. */
  readonly dashboard?: Pick<DashboardOptions, "authorize" | "readOnly">;
}

/**
 * Gives its argument back, checked by its type.
 *
 * @example
 * ```ts
 * export default defineConfig({
 *   world: () => sqliteWorld({ path: "data/app.db" }),
 *   files: ["src/workflows.ts"],
 *   worker: { retention: { completed: "30 days", failed: "90 days" } },
 * });
 * ```
 */
export function defineConfig(config: PerdureConfig): PerdureConfig {
  return config;
}
