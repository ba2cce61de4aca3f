/* Asks before a page with unsaved changes is left, and keeps what is sent until the server says that it was saved: in this
   tab, for this user. Without this script, changes are lost without a question. */
"use strict";
{
    const PREFIX = "hyber-unsaved:";
    const UNKEPT = "[type=password], [type=file], [name=csrfmiddlewaretoken]";

    const forgetSaved = () => {
        const [, saved] = document.cookie.match(/(?:^|; )hyber-saved=([0-9a-f]+)/) || [];
        const names = Object.keys(sessionStorage).filter((name) => name.startsWith(PREFIX));
        names.filter((name) => JSON.parse(sessionStorage.getItem(name)).key === saved)
            .forEach((name) => sessionStorage.removeItem(name));
    };

    const nameForm = (form) => {
        if (!form.elements.form_key) {
            const field = document.createElement("input");
            const bytes = [...crypto.getRandomValues(new Uint8Array(16))];
            field.type = "hidden";
            field.name = "form_key";
            field.value = bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("");
            form.append(field);
        }
    };

    const fieldsOf = (form, button) => {
        const unkept = new Set([...form.querySelectorAll(UNKEPT)].map((field) => field.name));
        const fields = [...new FormData(form)].filter(([name]) => !unkept.has(name));
        return button && button.name ? [...fields, [button.name, button.value]] : fields;
    };

    const sendAgain = (form, fields) => {
        const again = document.createElement("form");
        again.method = "post";
        again.hidden = true;
        const token = form.querySelector("[name=csrfmiddlewaretoken]");
        for (const [name, value] of [[token.name, token.value], ...fields]) {
            const field = document.createElement("textarea");
            field.name = name;
            field.value = value;
            again.append(field);
        }
        document.body.append(again);
        HTMLFormElement.prototype.submit.call(again);
    };

    const keep = (form, isRefused) => {
        const place = form.querySelector("[data-unsaved]");
        const name = `${PREFIX}${place.dataset.unsaved}:${location.pathname}`;
        form.addEventListener("submit", (event) => {
            const fields = fieldsOf(form, event.submitter);
            const key = form.elements.form_key.value;
            sessionStorage.setItem(name, JSON.stringify({key, fields}));
        });
        if (isRefused) {
            // The page shows what was sent.
            sessionStorage.removeItem(name);
            return;
        }
        const kept = sessionStorage.getItem(name);
        if (!kept) {
            return;
        }
        place.hidden = false;
        place.querySelector("[data-answer=save]").addEventListener("click", () => {
            sendAgain(form, JSON.parse(kept).fields);
        });
        place.querySelector("[data-answer=discard]").addEventListener("click", () => {
            sessionStorage.removeItem(name);
            place.hidden = true;
        });
    };

    const askBeforeLeaving = (form, isRefused) => {
        const written = () => new URLSearchParams(new FormData(form)).toString();
        // What the server refused is not saved either.
        const saved = isRefused ? null : written();
        let isSubmitted = false;
        form.addEventListener("submit", () => {
            isSubmitted = true;
        });
        window.addEventListener("pageshow", () => {
            isSubmitted = false;
        });
        window.addEventListener("beforeunload", (event) => {
            if (!isSubmitted && written() !== saved) {
                event.preventDefault();
            }
        });
    };

    // After the other scripts, which fill in the order of the channels.
    window.addEventListener("load", () => {
        const place = document.querySelector("[data-unsaved]");
        const form = place && place.closest("form");
        const isEditable = form && form.querySelector("[name='_save'], [name='_continue']");
        const isRefused = isEditable && Boolean(form.querySelector(":scope > div > .errornote"));
        if (isEditable) {
            nameForm(form);
            askBeforeLeaving(form, isRefused);
        }
        // The rest needs the storage, which a browser may forbid.
        forgetSaved();
        if (isEditable) {
            keep(form, isRefused);
        }
    });
}
