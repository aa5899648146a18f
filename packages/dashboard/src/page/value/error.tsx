import type { JSX } from "preact";
import { useState } from "preact/hooks";
import type { ErrorView, Frame } from "../../protocol.ts";
import { Value } from "./value.tsx";

/** An error: its message, the positions in the user's own source first, what it carries, and what caused it. */

export function ErrorBox({
  error,
  title,
}: {
  readonly error: ErrorView;
  readonly title?: string;
}): JSX.Element {
  const { name, message, frames, cause, errors } = error;
  const properties = error.properties.filter(([key]) => key !== "name");
  const causes = [
    ...(cause === null ? [] : [{ title: "Caused by", value: cause }]),
    ...errors.map((value) => ({ title: "With", value })),
  ];
  return (
    <div class="error">
      <p class="error-message">
        {title !== undefined && <span class="error-title">{title} </span>}
        <strong>{name}</strong>
        {message !== "" && <span class="error-text">: {message}</span>}
      </p>
      {frames.length > 0 && <Frames frames={frames} />}
      {properties.length > 0 && (
        <dl class="error-properties">
          {properties.map(([key, value]) => (
            <div key={key} class={typeof value === "object" && value !== null ? "error-large" : ""}>
              <dt>{key}</dt>
              <dd>
                {typeof value === "object" && value !== null ? (
                  <Value label={key} view={{ value }} source={null} />
                ) : (
                  String(value)
                )}
              </dd>
            </div>
          ))}
        </dl>
      )}
      {causes.map(({ title: before, value }) =>
        typeof value === "object" && value?.type === "error" ? (
          <ErrorBox error={value.error} title={before} />
        ) : (
          <Value label={before} view={{ value }} source={null} />
        ),
      )}
    </div>
  );
}

function Frames({ frames }: { readonly frames: readonly Frame[] }): JSX.Element {
  const [all, setAll] = useState(false);
  const own = frames.filter((frame) => frame.own);
  const shown = all ? frames : own;
  const hidden = frames.length - own.length;
  return (
    <div class="frames">
      <ol>
        {shown.map((frame) => (
          <li key={frame.text} class={frame.own ? "frame-own" : "frame"}>
            {frame.file === null ? (
              frame.text
            ) : (
              <>
                <span class="frame-function">{frame.function ?? "(anonymous)"}</span>{" "}
                <span class="frame-place">
                  {shortFile(frame.file)}:{frame.line}:{frame.column}
                </span>
              </>
            )}
          </li>
        ))}
      </ol>
      {hidden > 0 && (
        <button type="button" class="text-button" aria-expanded={all} onClick={() => setAll(!all)}>
          {all
            ? "Show only your own code"
            : `Show ${hidden}${own.length > 0 ? " more" : ""} of libraries and of perdure`}
        </button>
      )}
    </div>
  );
}

/** The file without the scheme of a URL. */
function shortFile(file: string): string {
  return file.replace(/^file:\/\//, "");
}
