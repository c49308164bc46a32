'use strict';

const show = (id, text) => { document.getElementById(id).textContent = text; };
const price = (cents) => `${(cents / 100).toFixed(2)} €`;

async function load() {
  const [version, products] = await Promise.all(['/api/version', '/api/products'].map(async (url) => {
    const res = await fetch(url);
    if (!res.ok) throw new Error(`${url}: ${res.status}`);
    return res.json();
  }));
  show('greeting', version.greeting);
  show('version', version.version);
  show('sha', version.sha.slice(0, 7));
  document.getElementById('products').replaceChildren(...products.map((p) => {
    const li = document.createElement('li');
    li.textContent = `${p.name}: ${price(p.cents)}, ${p.stock} left`;
    return li;
  }));
}

load().catch((err) => show('greeting', `The shop is closed (${err.message})`));
