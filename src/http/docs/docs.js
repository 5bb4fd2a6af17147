// The API reference: Swagger UI over /openapi.json, extended in three ways.
//
// 1. The code samples of the contract (x-codeSamples) are shown above the form of each operation.
// 2. A login made here authorizes the calls that follow. The token is kept in memory only: a reload discards it.
// 3. The stream can be tried out: the page reads it for a few seconds and shows the events. (Swagger UI waits for the end
//    of a response, and a stream has no end.)
//
// The page loads nothing from other hosts and works under the content security policy it is served with. It also works
// behind a proxy with a path prefix: calls go to the server and the path that served this page.

const LISTEN_MS = 8000; // long enough to log in elsewhere and send a message, short enough to wait for

/** The URL of this page without its trailing slash, and the path prefix that a proxy may have added. */
const base = new URL('.', location.href).href.slice(0, -1);
const prefix = new URL('.', location.href).pathname.slice(0, -1);

const ui = globalThis.SwaggerUIBundle({
  url: 'openapi.json',
  dom_id: '#reference',
  validatorUrl: null, // by default Swagger UI sends the URL of the contract to validator.swagger.io
  deepLinking: true,
  docExpansion: 'list',
  defaultModelsExpandDepth: 0,
  defaultModelExpandDepth: 3,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  plugins: [codeSamplePlugin],
  requestInterceptor(request) {
    request.url = resolve(request.url);
    if (pathOf(request.url) === '/v1/events') request.userFetch = readBriefly;
    return request;
  },
  responseInterceptor(response) {
    useTokens(response);
    return response;
  },
});

const dark = matchMedia('(prefers-color-scheme: dark)');
const applyColorScheme = () => document.documentElement.classList.toggle('dark-mode', dark.matches);
dark.addEventListener('change', applyColorScheme);
applyColorScheme();

/** The contract names `/` as its server. Behind a path prefix, calls must go below the prefix. */
function resolve(address) {
  const url = new URL(address, location.href);
  if (url.origin === location.origin && !url.pathname.startsWith(`${prefix}/`))
    url.pathname = prefix + url.pathname;
  return url.href;
}

function pathOf(address) {
  const { pathname } = new URL(address, location.href);
  return pathname.startsWith(`${prefix}/`) ? pathname.slice(prefix.length) : pathname;
}

function codeSamplePlugin() {
  return {
    wrapComponents: {
      parameters: (Parameters, { React, getComponent, specSelectors }) =>
        function WithSamples(props) {
          const Code = getComponent('HighlightCode', true);
          const codeSamples = specSelectors.specJson().getIn(['paths', ...props.pathMethod, 'x-codeSamples']);
          const sections = (codeSamples?.toJS() ?? []).map(({ label, source }) =>
            React.createElement(
              'section',
              { className: 'sample', key: label },
              React.createElement('h4', null, label),
              React.createElement(
                Code,
                { language: 'bash' },
                source.trim().replaceAll('http://127.0.0.1:3000', base),
              ),
            ),
          );
          return React.createElement(
            React.Fragment,
            null,
            ...sections,
            React.createElement(Parameters, props),
          );
        },
    },
  };
}

function useTokens({ ok, url, body }) {
  const path = pathOf(url);
  const login = path === '/v1/register' ? body?.login : body;
  if (ok && login && ['/v1/register', '/v1/login', '/v1/refresh'].includes(path)) {
    ui.preauthorizeApiKey('bearerAuth', login.accessToken);
    showStatus(`Logged in as ${login.account.username}.`);
  }
  if (ok && path === '/v1/logout') {
    ui.authActions.logout(['bearerAuth']);
    showStatus('Logged out.');
  }
}

function showStatus(text) {
  document.querySelector('#session').textContent = text;
}

async function readBriefly(url, request) {
  const stop = new AbortController();
  const response = await fetch(url, { ...request, signal: stop.signal });
  if (!response.ok) return response;
  const timer = setTimeout(() => stop.abort(), LISTEN_MS);
  let text = '';
  try {
    for (const reader = response.body.pipeThrough(new TextDecoderStream()).getReader(); ; ) {
      const { done, value } = await reader.read();
      if (done) break;
      text += value;
    }
  } catch {
    text += `: this page stopped reading after ${LISTEN_MS / 1000} s; a real stream stays open\n`;
  }
  clearTimeout(timer);
  const { status, statusText, headers } = response;
  return Object.defineProperty(new Response(text, { status, statusText, headers }), 'url', {
    value: response.url,
  });
}
