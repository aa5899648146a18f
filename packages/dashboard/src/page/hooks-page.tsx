import type { JSX } from "preact";
import type { HookRow } from "../protocol.ts";
import { askToDeliver } from "./deliver.tsx";
import { counted } from "./format.ts";
import { mayAct } from "./info.ts";
import { usePages } from "./paged.ts";
import { Cell, Column, Rows } from "./parts/rows.tsx";
import { RunLink } from "./parts/run-link.tsx";
import { Empty, Loading, Trouble } from "./parts/states.tsx";
import { Ago } from "./parts/time.tsx";
import { usePhone } from "./parts/width.ts";

/** The hooks that runs wait for. */

export function HooksPage(): JSX.Element {
  const { rows, whole, error, more, reload } = usePages<HookRow>("hooks", "hooks", ({ token }) => token);
  const phone = usePhone();
  const hooks = rows.value;
  return (
    <>
      <div class="page-head">
        <h1>Hooks</h1>
        {hooks !== null && (
          <p class="muted">
            {counted(hooks.length, "hook")}
            {whole.value ? "" : " and more"} that runs wait for
          </p>
        )}
      </div>
      {error.value !== null && <Trouble message={error.value} onRetry={reload} />}
      {hooks === null && error.value === null && <Loading what="hooks" />}
      {hooks?.length === 0 && (
        <Empty title="No run waits for a hook.">
          <p>
            A workflow waits for a message from outside with <code>createHook()</code> or{" "}
            <code>createWebhook()</code>.
          </p>
        </Empty>
      )}
      {hooks !== null && hooks.length > 0 && (
        <Rows
          as="table"
          class={`hook-rows ${mayAct.value ? "" : "rows-unacted"}`}
          label="Hooks"
          count={hooks.length}
          height={phone ? 84 : 40}
          rowKey={(index) => hooks[index]?.token ?? String(index)}
          onView={(_, last) => {
            if (last >= hooks.length - 1) more();
          }}
          head={
            <>
              <Column>Token</Column>
              <Column>Kind</Column>
              <Column>Run</Column>
              <Column>Waits since</Column>
              {mayAct.value && (
                <Column>
                  <span class="unseen">Acts</span>
                </Column>
              )}
            </>
          }
          row={(index) => {
            const hook = hooks[index];
            return hook === undefined ? null : (
              <>
                <Cell class="cell-main code" title={hook.token}>
                  {hook.token}
                </Cell>
                <Cell>{hook.webhook ? "webhook" : "hook"}</Cell>
                <Cell>
                  <RunLink runId={hook.runId} />
                </Cell>
                <Cell>
                  <Ago at={hook.createdAt} />
                </Cell>
                {mayAct.value && (
                  <Cell class="end">
                    <button
                      type="button"
                      class="button"
                      aria-label={`Deliver to ${hook.token}`}
                      onClick={() => askToDeliver(hook, reload)}
                    >
                      Deliver …
                    </button>
                  </Cell>
                )}
              </>
            );
          }}
        />
      )}
    </>
  );
}
