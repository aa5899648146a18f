/** `perdure/nuxt`: the compiler as a module of Nuxt. */
export { default } from "@perdure/compiler/nuxt";
