/** Lists that come page by page. */

/** Asks for page after page: each answer names the next. A page may be empty and still have a next one. */
export async function* pagesOf<Page extends { readonly nextPageToken?: Uint8Array }>(
  ask: (next: { readonly pageToken?: Uint8Array }) => Promise<Page>,
): AsyncGenerator<Page> {
  let pageToken: Uint8Array | undefined;
  do {
    const page = await ask(pageToken === undefined ? {} : { pageToken });
    yield page;
    pageToken = page.nextPageToken;
  } while (pageToken !== undefined);
}
