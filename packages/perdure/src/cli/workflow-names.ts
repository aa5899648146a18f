import { listRuns, listWorkers } from "@perdure/core/api";
import { CommandError } from "./errors.ts";
import { oneLine } from "./terminal.ts";

/** Workflows as people call them: `charge` for `workflow//./billing//charge`. */

/** So many of the newest runs are asked which workflows there are, beside the workers. */
const NEWEST = 1_000;

/** A workflow that a command names. */
export interface NamedWorkflow {
  readonly id: string;
  /** Whether no worker that is alive executes it, although some are, or no run here has it either. */
  readonly unserved: boolean;
}

/**
 * The workflow that is meant: by its id, or by the name of its function, where workers that are alive or the newest runs have one
 * such. A name that nobody knows is taken for an id.
 *
 * @throws {CommandError} if several have the name
 */
export async function namedWorkflow(name: string): Promise<NamedWorkflow> {
  const [workers, { runs }] = await Promise.all([listWorkers(), listRuns({ limit: NEWEST })]);
  const served = new Set(workers.flatMap(({ workflows }) => workflows));
  const known = new Set([...served, ...runs.map(({ workflowName }) => workflowName)]);
  const called = known.has(name) ? [name] : [...known].filter((id) => id.endsWith(`//${name}`));
  if (called.length > 1) {
    throw new CommandError(
      `Several workflows are called ${oneLine(name)}. Name one by its id: ${called.map(oneLine).sort().join(", ")}.`,
    );
  }
  const id = called[0] ?? name;
  return { id, unserved: !served.has(id) && (workers.length > 0 || !known.has(id)) };
}

/** Options of a command with the id of the workflow that they name. */
export async function withWorkflowId<Options extends { readonly workflow?: string }>(
  options: Options,
): Promise<Options> {
  if (options.workflow === undefined) return options;
  return { ...options, workflow: (await namedWorkflow(options.workflow)).id };
}
