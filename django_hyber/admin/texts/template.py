from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import BooleanField, QuerySet, Value
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from django_hyber.admin.common.model_admins import HyberAdmin, link_to
from django_hyber.admin.common.times import EMPTY
from django_hyber.models import Template


class TemplateForm(forms.ModelForm):  # type: ignore[type-arg]  # Django's class takes no type at run time
    """Says in plain words that a code is taken."""

    class Meta:
        model = Template
        fields = ("code", "name", "language")
        error_messages: ClassVar = {"code": {"unique": _("There is already a template with this code.")}}


@admin.register(Template)
class TemplateAdmin(HyberAdmin):
    """Templates of single messages. The project names the template by its ``code``."""

    form = TemplateForm
    add_label = _("Add template")
    list_display = ("code", "name", "texts")
    search_fields = ("code", "name")
    fields = ("code", "name", "language", "texts")
    readonly_fields = ("texts",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Template]:
        """Read the texts of all listed templates in one query, and annotate whether this user may add one."""
        may_add = Value(request.user.has_perm("django_hyber.add_template"), BooleanField())
        templates: QuerySet[Template] = super().get_queryset(request)
        return templates.prefetch_related("variants").annotate(may_add_text=may_add)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Show the texts of a saved template."""
        return self.fields if obj else TemplateForm.Meta.fields

    @admin.display(description=_("texts"))
    def texts(self, template: Template) -> SafeString | str:
        """A link to the text in each language, and one to add another if the user may."""
        links = [link_to(variant, variant.language) for variant in template.variants.all()]
        if template.may_add_text:  # type: ignore[attr-defined]  # set by get_queryset
            address = f"{reverse('admin:django_hyber_templatevariant_add')}?template={template.pk}"
            label = gettext("Add a text in another language") if links else gettext("Add a text")
            links.append(format_html('<a href="{}">{}</a>', address, label))
        return format_html_join(" · ", "{}", ((link,) for link in links)) or EMPTY
