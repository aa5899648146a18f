import type { JSX } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { ChartsPage } from "./charts/charts-page.tsx";
import { HooksPage } from "./hooks-page.tsx";
import { info, infoError, loadInfo } from "./info.ts";
import { KeysPage } from "./keys-page.tsx";
import { liveState } from "./live.ts";
import { address, base, openRun, type PageName, page } from "./navigation.ts";
import { Dialog } from "./parts/dialog.tsx";
import { Icon, type IconName } from "./parts/icons.tsx";
import { Notices } from "./parts/notices.tsx";
import { Trouble } from "./parts/states.tsx";
import { RunPage } from "./run/run-page.tsx";
import { RunsPage } from "./runs/runs-page.tsx";
import { nextTheme, type Theme, theme } from "./theme.ts";
import { WorkersPage } from "./workers-page.tsx";

/** The frame around the pages: where one is, where one can go, and whether what is shown is live. */

const PAGES: Readonly<Record<PageName, { readonly title: string; readonly icon: IconName }>> = {
  runs: { title: "Runs", icon: "runs" },
  hooks: { title: "Hooks", icon: "hooks" },
  keys: { title: "Locks & keys", icon: "keys" },
  workers: { title: "Workers", icon: "workers" },
  charts: { title: "Charts", icon: "charts" },
};

const THEMES: Readonly<Record<Theme, { readonly icon: IconName; readonly says: string }>> = {
  auto: { icon: "auto", says: "Colours: as the system. Change to light" },
  light: { icon: "sun", says: "Colours: light. Change to dark" },
  dark: { icon: "moon", says: "Colours: dark. Change to as the system" },
};

export function App(): JSX.Element {
  const run = openRun.value;
  const main = useRef<HTMLElement>(null);
  const shown = useRef<string | null>(null);
  const where = run ?? page.value;
  useEffect(() => {
    document.title = `${run ?? PAGES[page.value].title} · Perdure`;
    // Whoever reads with a screen reader begins at the new page, not where the link was.
    if (shown.current !== null && shown.current !== where) main.current?.focus();
    shown.current = where;
  }, [where, run]);
  return (
    <>
      <a class="skip" href="#main">
        Skip to the content
      </a>
      <header class="side">
        <a class="brand" href={base}>
          <svg viewBox="0 0 32 32" width="24" height="24" aria-hidden="true" focusable="false">
            <rect width="32" height="32" rx="7" />
            <path d="M8 9h10M8 16h16M8 23h7" />
          </svg>
          Perdure
        </a>
        <nav aria-label="Pages">
          <ul>
            {Object.entries(PAGES).map(([name, { title, icon }]) => (
              <li key={name}>
                <a
                  href={address({ page: name === "runs" ? null : name })}
                  aria-current={
                    run === null && page.value === name
                      ? "page"
                      : run !== null && name === "runs"
                        ? "true"
                        : undefined
                  }
                >
                  <Icon name={icon} />
                  <span>{title}</span>
                </a>
              </li>
            ))}
          </ul>
        </nav>
        <div class="side-end">
          <Where />
          <button
            type="button"
            class="icon-button"
            aria-label={THEMES[theme.value].says}
            title={THEMES[theme.value].says}
            onClick={nextTheme}
          >
            <Icon name={THEMES[theme.value].icon} />
          </button>
        </div>
      </header>
      <main id="main" ref={main} tabIndex={-1}>
        {infoError.value !== null && <Trouble message={infoError.value} onRetry={loadInfo} />}
        {run !== null ? <RunPage key={run} runId={run} /> : <Page name={page.value} />}
      </main>
      <Notices />
      <Dialog />
    </>
  );
}

function Page({ name }: { readonly name: PageName }): JSX.Element {
  if (name === "hooks") return <HooksPage />;
  if (name === "keys") return <KeysPage />;
  if (name === "workers") return <WorkersPage />;
  if (name === "charts") return <ChartsPage />;
  return <RunsPage />;
}

/** The store, and whether changes arrive. */
function Where(): JSX.Element {
  const known = info.value;
  const state = liveState.value;
  return (
    <div class="where">
      {state !== "ended" && (
        <span class={`live live-${state}`}>
          <span class="live-dot" aria-hidden="true" />
          {state === "live" ? "Live" : "Connecting …"}
        </span>
      )}
      {known !== null && (
        <span class="where-store">
          {known.world}
          {known.readOnly && <span class="tag">read only</span>}
        </span>
      )}
    </div>
  );
}
