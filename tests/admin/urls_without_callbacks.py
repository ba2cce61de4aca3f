"""A project that follows its campaigns, and lets nobody call back."""

from django.contrib import admin
from django.urls import path

urlpatterns = [path("admin/", admin.site.urls)]
