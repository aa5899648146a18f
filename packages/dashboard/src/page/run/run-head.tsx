import type { JSX } from "preact";
import type { RunDetail, RunRow } from "../../protocol.ts";
import { ACTS, askFor } from "../acts.tsx";
import { lengthOf } from "../format.ts";
import { mayAct } from "../info.ts";
import { address, base } from "../navigation.ts";
import { Copy } from "../parts/copy.tsx";
import { RunLink } from "../parts/run-link.tsx";
import { Status } from "../parts/status.tsx";
import { Moment, now, Took } from "../parts/time.tsx";
import { doingNow } from "../runs/run-rows.tsx";
import { plainJson } from "../value/join.ts";
import { Fact } from "./panel.tsx";

/** The head of a run's page: what it is, how it is, and what can be done to it. */

export function RunHead({ run, detail }: { readonly run: RunRow; readonly detail: RunDetail }): JSX.Element {
  const acts = (Object.keys(ACTS) as (keyof typeof ACTS)[]).filter((act) =>
    ACTS[act].fits.includes(run.status),
  );
  return (
    <>
      <p class="crumbs">
        <a href={base}>Runs</a> <span aria-hidden="true">/</span>{" "}
        <a href={address({ workflow: run.workflow })}>{run.workflow}</a>
      </p>
      <div class="run-head">
        <div>
          <h1>
            {run.name} <Status status={run.status} />
          </h1>
          <p class="run-id">
            <span class="code">{run.runId}</span>
            <Copy text={run.runId} what="the run's id" />
          </p>
        </div>
        {mayAct.value && (
          // biome-ignore lint/a11y/useSemanticElements: a fieldset is for fields.
          <div class="run-acts" role="group" aria-label="Acts on the run">
            {acts.map((act) => (
              <button
                key={act}
                type="button"
                class={`button ${ACTS[act].danger === true ? "button-quiet-danger" : act === "retry" ? "button-primary" : ""}`}
                onClick={() => askFor(act, run, plainJson(detail.args.value))}
              >
                {ACTS[act].label}
              </button>
            ))}
          </div>
        )}
      </div>
      <Facts run={run} detail={detail} />
    </>
  );
}

function Facts({ run, detail }: { readonly run: RunRow; readonly detail: RunDetail }): JSX.Element {
  const doing = doingNow(run, now.value);
  const attributes = Object.entries(run.attributes);
  return (
    <dl class="facts facts-run">
      <Fact name="Created">
        <Moment at={run.createdAt} />
      </Fact>
      <Fact name="Waited">
        {run.startedAt === null ? (
          <Took from={run.createdAt} to={null} open={run.status === "pending"} />
        ) : (
          lengthOf(run.startedAt - run.createdAt)
        )}
      </Fact>
      <Fact name="Took">
        <Took from={run.startedAt} to={run.completedAt} open={run.completedAt === null} />
      </Fact>
      {run.completedAt !== null && (
        <Fact name="Ended">
          <Moment at={run.completedAt} />
        </Fact>
      )}
      {doing !== "" && <Fact name="Now">{doing}</Fact>}
      {run.key !== null && (
        <Fact name="Key">
          <span class="code">{run.key}</span>
          <Copy text={run.key} what="the key" />
        </Fact>
      )}
      {run.parent !== null && (
        <Fact name="Started by">
          <RunLink runId={run.parent} />
        </Fact>
      )}
      {detail.origin !== null && (
        <Fact name="Goes on for">
          <RunLink runId={detail.origin} />
        </Fact>
      )}
      {detail.successor !== null && (
        <Fact name="Goes on as">
          <RunLink runId={detail.successor} />
        </Fact>
      )}
      {detail.generation > 0 && <Fact name="Generation">{detail.generation}</Fact>}
      {detail.lostClaims > 0 && <Fact name="Workers lost">{detail.lostClaims}</Fact>}
      {attributes.length > 0 && (
        <Fact name="Attributes">
          {attributes.map(([name, value]) => (
            <a key={name} class="tag" href={address({ attribute: `${name}=${value}` })}>
              <b>{name}</b> {value}
            </a>
          ))}
        </Fact>
      )}
      {detail.locks.length > 0 && (
        <Fact name="Has locks">
          {detail.locks.map(({ key, waiting }) => (
            <a key={key} class="tag" href={address({ page: "keys" })}>
              {key}
              {waiting > 0 && `, ${waiting} wait`}
            </a>
          ))}
        </Fact>
      )}
    </dl>
  );
}
