import type { JSX } from "preact";
import type { RunTree, TreeNode } from "../../protocol.ts";
import { pathOf } from "../api.ts";
import { address } from "../navigation.ts";
import { Empty, Loading, Trouble } from "../parts/states.tsx";
import { Status } from "../parts/status.tsx";
import { Took } from "../parts/time.tsx";
import { useEvery, useResource } from "../resource.ts";

/** The relatives of a run: who started it, and whom it started. */

const LOOK_AGAIN = 5_000;

export function Tree({ runId }: { readonly runId: string }): JSX.Element {
  const { data, error, reload } = useResource<RunTree>(pathOf("tree", { id: runId }));
  useEvery(LOOK_AGAIN, reload);
  const tree = data.value;
  if (error.value !== null) return <Trouble message={error.value} onRetry={reload} />;
  if (tree === null) return <Loading what="its relatives" />;
  if (tree.ancestors.length === 0 && tree.root.children.length === 0) {
    return (
      <Empty title="No run started this one, and it started none.">
        <p>
          A workflow starts a child with <code>start()</code>.
        </p>
      </Empty>
    );
  }
  const nested = tree.ancestors.reduce<TreeNode>(
    (node, run) => ({ run, children: [node], more: false }),
    tree.root,
  );
  return (
    <section aria-label="Relatives of the run" class="tree">
      <ul>
        <Node node={nested} here={runId} />
      </ul>
    </section>
  );
}

function Node({ node, here }: { readonly node: TreeNode; readonly here: string }): JSX.Element {
  const { run, children, more } = node;
  return (
    <li>
      <a
        class={`tree-node ${run.runId === here ? "tree-here" : ""}`}
        href={address({ run: run.runId, tab: "tree" })}
        aria-current={run.runId === here ? "true" : undefined}
      >
        <Status status={run.status} />
        <strong>{run.name}</strong>
        <span class="row-id">{run.runId}</span>
        <span class="muted">
          <Took from={run.startedAt} to={run.completedAt} open={run.status === "running"} />
        </span>
      </a>
      {(children.length > 0 || more) && (
        <ul>
          {children.map((child) => (
            <Node key={child.run.runId} node={child} here={here} />
          ))}
          {more && (
            <li>
              <a href={address({ parent: run.runId })}>All runs that it started</a>
            </li>
          )}
        </ul>
      )}
    </li>
  );
}
