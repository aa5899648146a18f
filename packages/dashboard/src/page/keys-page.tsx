import type { JSX } from "preact";
import type { KeyRow, LockList, LockRow } from "../protocol.ts";
import { pathOf } from "./api.ts";
import { counted } from "./format.ts";
import { address } from "./navigation.ts";
import { usePages } from "./paged.ts";
import { Cell, Column, Rows } from "./parts/rows.tsx";
import { RunLink } from "./parts/run-link.tsx";
import { Empty, Loading, Trouble } from "./parts/states.tsx";
import { Status } from "./parts/status.tsx";
import { Ago } from "./parts/time.tsx";
import { usePhone } from "./parts/width.ts";
import { useEvery, useResource } from "./resource.ts";

/** Who has which lock, and which run a start's key belongs to. */

const LOOK_AGAIN = 5_000;

export function KeysPage(): JSX.Element {
  return (
    <>
      <div class="page-head">
        <h1>Locks &amp; keys</h1>
      </div>
      <Locks />
      <Keys />
    </>
  );
}

function Locks(): JSX.Element {
  const { data, error, reload } = useResource<LockList>(pathOf("locks"));
  useEvery(LOOK_AGAIN, reload);
  const locks = data.value?.locks;
  return (
    <section aria-labelledby="locks">
      <h2 id="locks">Locks</h2>
      {error.value !== null && <Trouble message={error.value} onRetry={reload} />}
      {locks === undefined && error.value === null && <Loading what="locks" />}
      {locks?.length === 0 && (
        <Empty title="No run has a lock.">
          <p>
            A workflow takes one with <code>acquireLock(key)</code>; it appears here while it is held.
          </p>
        </Empty>
      )}
      {locks !== undefined && locks.length > 0 && (
        <div class="scroll-x">
          <table class="table">
            <thead>
              <tr>
                <th scope="col">Key</th>
                <th scope="col">Held by</th>
                <th scope="col" class="end">
                  Places
                </th>
                <th scope="col" class="end">
                  Waiting
                </th>
              </tr>
            </thead>
            <tbody>
              {locks.map((lock) => (
                <Lock key={lock.key} lock={lock} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function Lock({ lock }: { readonly lock: LockRow }): JSX.Element {
  const { key, holders, limit, waiting } = lock;
  return (
    <tr>
      <th scope="row" class="code">
        {key}
      </th>
      <td>
        {holders.map(({ runId, fence, status }) => (
          <div key={runId}>
            <RunLink runId={runId} /> <span class="muted">fence {fence}</span>{" "}
            {status === "diverged" && <Status status={status} />}
          </div>
        ))}
      </td>
      <td class="end">
        {holders.length} of {limit}
      </td>
      <td class="end">{waiting}</td>
    </tr>
  );
}

function Keys(): JSX.Element {
  const { rows, whole, error, more, reload } = usePages<KeyRow>(
    "keys",
    "keys",
    (row) => `${row.workflow} ${row.key}`,
  );
  const phone = usePhone();
  const keys = rows.value;
  return (
    <section aria-labelledby="keys">
      <h2 id="keys">Keys of starts</h2>
      {error.value !== null && <Trouble message={error.value} onRetry={reload} />}
      {keys === null && error.value === null && <Loading what="keys" />}
      {keys?.length === 0 && (
        <Empty title="No run has a key.">
          <p>
            A start with <code>idempotencyKey</code> gets a run once, however often it is called.
          </p>
        </Empty>
      )}
      {keys !== null && keys.length > 0 && (
        <>
          <p class="hint">
            {counted(keys.length, "key")}
            {whole.value ? "" : " and more"}. A start with one of them gets its run instead of a second one.
          </p>
          <Rows
            as="table"
            class="key-rows"
            label="Keys of starts"
            count={keys.length}
            height={phone ? 64 : 36}
            onView={(_, last) => {
              if (last >= keys.length - 1) more();
            }}
            head={
              <>
                <Column>Key</Column>
                <Column>Workflow</Column>
                <Column>Run</Column>
                <Column>Created</Column>
              </>
            }
            row={(index) => {
              const row = keys[index];
              return row === undefined ? null : (
                <>
                  <Cell class="cell-main code" title={row.key}>
                    {row.key}
                  </Cell>
                  <Cell title={row.workflow}>
                    <a href={address({ workflow: row.workflow })}>{row.name}</a>
                  </Cell>
                  <Cell>
                    <RunLink runId={row.runId} />
                  </Cell>
                  <Cell>
                    <Ago at={row.createdAt} />
                  </Cell>
                </>
              );
            }}
          />
        </>
      )}
    </section>
  );
}
