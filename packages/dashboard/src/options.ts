import { getWorld, worldInUse } from "@perdure/core/runtime";
import { checkOptionNames, type World } from "@perdure/core/world";

/** Says whether a request may look and act. */
export type Authorize = (request: Request) => boolean | Response | Promise<boolean | Response>;

/** What `createDashboard` takes. */
export interface DashboardOptions {
  /** The World whose runs it shows. Default: that of the process. It stays open: who made it closes it. */
  readonly world?: World;
  /** Where the dashboard is mounted, such as `/admin/perdure`: the path of its page. Default `/`. */
  readonly basePath?: string;
  /**
   * Whether whoever sent the request may look, and act unless `readOnly`: `true` lets it pass, `false` is 403, a `Response` (a redirect to the
   * sign-in, 401 with a challenge) is sent as it is. It is asked for every request, those of the page's files included; what it throws is 500.
   *
   * `"loopback"`: requests of this machine to a name of this machine pass, and no others: none that came by a proxy. That is what counts
   * without it, too, except that everybody may look where `NODE_ENV` is `development`, and that there is no dashboard without it where
   * `NODE_ENV` is `production`.
   */
  readonly authorize?: Authorize | "loopback";
  /** Refuses everything that changes something with 403. Default false. */
  readonly readOnly?: boolean;
}

/** The options, checked. */
export interface Terms {
  readonly world: () => World;
  /** `""`, or a path that begins with a slash and ends without one. */
  readonly basePath: string;
  /** `null`: everybody may. */
  readonly authorize: Authorize | "loopback" | null;
  readonly readOnly: boolean;
}

/** @throws {TypeError} for an option that cannot be meant, and where nobody says who may look */
export function termsOf(options: DashboardOptions): Terms {
  checkOptionNames<DashboardOptions>("createDashboard()", options, {
    world: true,
    basePath: true,
    authorize: true,
    readOnly: true,
  });
  const { world, basePath = "/", authorize, readOnly = false } = options;
  if (typeof basePath !== "string" || !/^(\/[\w.~-]+)*\/?$/.test(basePath)) {
    throw new TypeError(
      `createDashboard(): basePath must be a path such as "/admin/perdure", got ${JSON.stringify(basePath)}.`,
    );
  }
  if (authorize !== undefined && authorize !== "loopback" && typeof authorize !== "function") {
    throw new TypeError('createDashboard(): authorize must be a function of the request, or "loopback".');
  }
  const { NODE_ENV } = process.env;
  if (authorize === undefined && NODE_ENV === "production") {
    throw new TypeError(
      "createDashboard(): who may look? Pass authorize: (request) => …, which tells by a session or a header whether the request may see and " +
        'change runs; "loopback" is for this machine alone. It may be left out only while NODE_ENV is not production.',
    );
  }
  return {
    world: () => (world === undefined ? getWorld() : worldInUse(world)),
    basePath: basePath.replace(/\/$/, ""),
    authorize: authorize ?? (NODE_ENV === "development" ? null : "loopback"),
    readOnly,
  };
}
