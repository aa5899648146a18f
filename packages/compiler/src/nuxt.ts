/** The compiler as a module of Nuxt: its server is Nitro's. */
import nitroModule from "./nitro.ts";

/** What is used of Nuxt. Its types must hold where Nuxt is not installed. */
interface Nuxt {
  readonly options: { readonly nitro: { modules?: unknown[] } };
}

/**
 * Compiles directives in the server of a Nuxt project.
 *
 * @example
 * // nuxt.config.ts
 * export default { modules: ["perdure/nuxt"] };
 */
export default function nuxtModule(_options: unknown, { options: { nitro } }: Nuxt): void {
  nitro.modules = [...(nitro.modules ?? []), nitroModule];
}
