from django.urls import include, path

urlpatterns = [path("hyber/", include("django_hyber.urls"))]
